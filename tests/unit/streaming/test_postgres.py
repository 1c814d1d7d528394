"""State and tables in PostgreSQL: the same tables as embedded, several writers, migrations, roles."""

from __future__ import annotations

import re
import threading
import time
from importlib.resources import files

import psycopg
import pytest

from fhir_profiles.errors import Unavailable
from streaming.accounts import STATE
from streaming.batches import apply_batch
from streaming.dead_letter import FloodGuard
from streaming.digest import digest
from streaming.postgres import PostgresConnection, PostgresEngine
from streaming.postgres_store import PostgresStore
from streaming.state import State
from streaming.table_writer import Pace, TableWriter
from tests.support.made_events import (
    FINESS,
    OTHER,
    condition,
    contracts,
    encounter,
    event,
    log_of,
    patient,
    rules,
    written,
)
from tests.support.postgres_server import PostgresServer

pytestmark = pytest.mark.slow
PACE = Pace(events=2, persons=2, coalesce_s=0.0)

STORY = [
    event(patient("pat-1", "rest-1"), encounter("enc-1", "v1", person="rest-1"), condition("c1", "I10", stay="v1")),
    event(patient("pat-2", "rest-2"), encounter("enc-2", "v2", person="rest-2"), at=1),
    event(patient("pat-2", "rest-2", "rest-1"), at=2),
    event(patient("pat-2", "rest-2"), condition("c1", "E11", stay="v1"), at=3),
    event(encounter("enc-1", "v1", person="rest-1", period={"end": "2023-03-05T11:00:00+01:00"}), at=4),
    event(patient("pat-3", "rest-1"), encounter("enc-3", "v1"), condition("c3", "J80", stay="v1"), at=5, finess=OTHER),
]


def names(script: str) -> dict[str, list[str]]:
    """Return the tables of a schema file with their columns, in order."""
    found = {}
    for table, body in re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(?:ops\.)?(\w+) \((.*?)\n\)", script, re.DOTALL):
        lines = [line.split("--")[0].strip() for line in body.splitlines()]
        found[table] = [
            line.split()[0].strip('"') for line in lines if line and line.split()[0] not in ("PRIMARY", "UNIQUE")
        ]
    return found


def test_both_engines_have_the_same_state_tables() -> None:
    folder = files("streaming") / "sql"

    embedded = names((folder / "ops.sql").read_text())
    scripts = sorted((folder / "postgresql").iterdir(), key=lambda one: one.name)
    server_form = names("".join(one.read_text() for one in scripts))
    server_form.pop("migration")

    assert len(embedded) > 10
    assert server_form == embedded


def test_the_tables_are_those_of_the_embedded_form(
    postgres: PostgresConnection, tmp_path: pytest.TempPathFactory
) -> None:
    embedded = written(tmp_path, log_of(STORY))  # type: ignore[arg-type]
    expected = digest(embedded.sink)
    embedded.close()

    writer = TableWriter(PostgresStore(postgres), consumer=log_of(STORY), rules=rules(), pace=PACE)
    writer.drain()

    assert digest(writer.sink) == expected
    assert "T_MCO24D" in expected
    writer.close()


def test_analysts_write_official_names_in_any_case_and_see_no_helper(postgres: PostgresConnection) -> None:
    writer = TableWriter(PostgresStore(postgres), consumer=log_of(STORY), rules=rules(), pace=PACE)
    writer.drain()

    with postgres.open() as analyst:
        analyst.execute("SET ROLE snds_reader")
        analyst.execute("SET search_path TO snds")
        joined = analyst.execute(
            "SELECT count(*) FROM T_MCO24B JOIN t_mco24d USING (ETA_NUM, RSA_NUM) WHERE DGN_PAL IS NOT NULL"
        ).fetchone()
        columns = analyst.execute("SELECT * FROM T_MCO24D LIMIT 0").description
        label = analyst.execute("SELECT col_description('snds.t_mco24d'::regclass, 1)").fetchone()
        for hidden in ("SELECT * FROM ops.resource", "SELECT * FROM rows.t_mco24b", "DELETE FROM t_mco24b"):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
                analyst.execute(hidden)

    assert joined is not None
    assert joined[0] > 0
    assert [column.name for column in columns or ()] == ["ass_dgn", "dgn_ass_num", "eta_num", "rsa_num", "rss_num"]
    assert label is not None
    assert label[0]
    writer.close()


def test_a_second_migration_changes_nothing_and_concurrent_ones_wait(postgres: PostgresConnection) -> None:
    failed: list[BaseException] = []

    def migrate_too() -> None:
        try:
            PostgresEngine(postgres).close()
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failed.append(error)

    threads = [threading.Thread(target=migrate_too) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with postgres.open() as connection:
        applied = connection.execute("SELECT count(*), max(version) FROM ops.migration").fetchone()
    assert failed == []
    assert applied is not None
    assert applied[0] == applied[1]


def test_a_bulk_insert_outside_a_transaction_keeps_its_rows(postgres: PostgresConnection) -> None:
    engine = PostgresEngine(postgres)

    engine.connection.executemany("INSERT INTO seen (event_id) VALUES (?)", [(f"event-{n}",) for n in range(100)])

    assert engine.connection.execute("SELECT count(*) FROM seen").fetchone() == (100,)
    engine.close()


def test_two_writers_cannot_apply_the_same_records(postgres: PostgresConnection) -> None:
    log = log_of(STORY)
    one, other = State(PostgresEngine(postgres)), State(PostgresEngine(postgres))
    records = log.read(0, 0, 2)

    def take(state: State) -> None:
        apply_batch(state, records, log_identity=log.identity(), contracts=contracts, flood=FloodGuard(), after=0)

    take(one)
    with pytest.raises(Unavailable, match="offset-raced"):
        take(other)

    assert one.counter("applied") == 2
    assert not one.counter("duplicates")
    one.close()
    other.close()


def test_writers_share_the_partitions_and_inherit_those_of_one_that_is_gone(postgres: PostgresConnection) -> None:
    partitions = tuple(range(12))
    one, other = PostgresStore(postgres), PostgresStore(postgres)

    assert (len(one.share(partitions)), len(other.share(partitions))) == (6, 6)
    third = PostgresStore(postgres)
    given_back = [len(store.share(partitions)) for store in (one, other, third)]
    assert given_back == [4, 4, 4]
    assert set(one.share(partitions)) & set(other.share(partitions)) == set()

    other.close()
    third.close()
    deadline = time.monotonic() + 300
    while len(one.share(partitions)) < 12 and time.monotonic() < deadline:  # the server ends sessions in its own time
        time.sleep(0.01)
    assert one.share(partitions) == list(partitions)
    one.close()


def test_a_hospital_that_another_writer_is_at_work_on_is_left_to_it(postgres: PostgresConnection) -> None:
    one, other = State(PostgresEngine(postgres)), State(PostgresEngine(postgres))
    with one.transaction():
        one.mark_dirty([(FINESS, "a"), (OTHER, "b")])

    with one.transaction():
        mine = one.dirty(1)
        with other.transaction():
            others = other.dirty(10)

    assert mine == {FINESS: ["a"]} or mine == {OTHER: ["b"]}
    assert set(mine) | set(others) == {FINESS, OTHER}
    assert set(mine) & set(others) == set()
    one.close()
    other.close()


@pytest.mark.parametrize("point", ["read", "staged", "planned", "written", "settled"])
def test_the_session_dying_at_any_point_loses_and_doubles_nothing(
    point: str, postgres: PostgresConnection, server: PostgresServer, tmp_path: pytest.TempPathFactory
) -> None:
    embedded = written(tmp_path, log_of(STORY))  # type: ignore[arg-type]
    expected = digest(embedded.sink)
    embedded.close()
    stop = threading.Event()
    left = [2]
    store = PostgresStore(postgres)

    def at(label: str) -> None:
        if label == point:
            left[0] -= 1
            if left[0] == 0:
                with postgres.open() as killer:
                    killer.execute("SELECT pg_terminate_backend(%s)", (store.engine.connection.raw.info.backend_pid,))
        # each step comes here, the one after a failure too; a session that dies late may have settled the last round
        if label == "published" and store.state.counter("applied") == len(STORY):
            stop.set()

    writer = TableWriter(store, consumer=log_of(STORY), rules=rules(), pace=PACE, at=at)
    writer.run(stop)
    writer.drain()

    assert left[0] < 1
    assert digest(writer.sink) == expected
    assert store.state.counter("applied") == len(STORY)
    writer.close()


def test_state_files_keep_their_name() -> None:
    assert STATE == "ops.sqlite"


def test_a_writer_that_ended_well_is_nobody_at_work_any_more(postgres: PostgresConnection) -> None:
    PostgresStore(postgres).close()  # the first one makes the schemas

    for _ in range(20):
        store = PostgresStore(postgres)
        store.share(range(4))
        store.close()
        with postgres.open() as session:
            held = session.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            ).fetchone()
        assert held == (0,)
