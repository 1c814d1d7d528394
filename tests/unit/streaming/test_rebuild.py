"""`tables rebuild`: the same state gives the same tables, in fresh files or another store, whatever dies in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from fhir_profiles.errors import Misconfigured
from streaming import rebuild as rebuilding
from streaming.accounts import status
from streaming.digest import digest
from streaming.postgres import PostgresConnection
from streaming.postgres_store import PostgresStore
from streaming.rebuild import move_to_postgres, rebuild, rebuild_postgres
from streaming.store import EmbeddedStore
from streaming.table_writer import TableWriter
from tests.support.made_events import OTHER, condition, encounter, event, log_of, patient, rules, written

STORY = [
    event(patient("pat-1", "rest-1"), encounter("enc-1", "v1", person="rest-1"), condition("c1", "I10", stay="v1")),
    event(patient("pat-2", "rest-2"), encounter("enc-2", "v2", person="rest-2"), at=1),
    event(patient("pat-2", "rest-2", "rest-1"), at=2),
    event(encounter("enc-1", "v1", person="rest-1", period={"end": "2023-03-05T11:00:00+01:00"}), at=3),
    event(patient("pat-3", "rest-1"), encounter("enc-3", "v1"), condition("c3", "J80", stay="v1"), at=4, finess=OTHER),
]
LATER = event(patient("pat-2", "rest-2"), encounter("enc-4", "v4", person="rest-2"), at=9)


class Died(BaseException):
    """Like a kill: nothing catches it."""


def test_a_rebuild_gives_the_same_tables_and_the_writer_goes_on_from_its_offsets(tmp_path: Path) -> None:
    log = log_of(STORY)
    written(tmp_path, log).close()
    before = digest(tmp_path)
    number_file = (tmp_path / "tables.duckdb").stat().st_ino

    rebuilt = rebuild(tmp_path, rules=rules())

    assert rebuilt.same
    assert digest(tmp_path) == before == rebuilt.after != ""
    assert (tmp_path / "tables.duckdb").stat().st_ino != number_file
    assert not list(tmp_path.glob("*rebuilding*"))
    log.append([LATER], log.counts[0])
    written(tmp_path, log).close()
    assert (status(tmp_path).applied, status(tmp_path).duplicates) == (6, 0)


def test_a_rebuild_repairs_rows_that_were_damaged(tmp_path: Path) -> None:
    written(tmp_path, log_of(STORY)).close()
    right = digest(tmp_path)
    with duckdb.connect(str(tmp_path / "tables.duckdb")) as damaged:
        damaged.execute("DELETE FROM rows.T_MCO23B")
        damaged.execute("INSERT INTO rows.T_MCO24A SELECT * FROM rows.T_MCO24A")

    rebuilt = rebuild(tmp_path, rules=rules())

    assert not rebuilt.same
    assert digest(tmp_path) == rebuilt.after == right


def test_a_table_that_lost_its_rows_is_empty_for_readers_too(tmp_path: Path) -> None:
    written(tmp_path, log_of(STORY)).close()
    with duckdb.connect(str(tmp_path / "tables.duckdb")) as damaged:
        damaged.execute("INSERT INTO rows.T_MCO24A (owner, CDC_ACT) VALUES (999, 'DEQP003')")
        damaged.execute("INSERT INTO marks.unpublished (name) VALUES ('T_MCO24A')")
    shown = EmbeddedStore(tmp_path)
    shown.begin()
    shown.close()
    assert "T_MCO24A" in digest(tmp_path)

    rebuild(tmp_path, rules=rules())

    assert "T_MCO24A" not in digest(tmp_path)


def test_nothing_is_rebuilt_beside_a_running_writer(tmp_path: Path) -> None:
    writer = written(tmp_path, log_of(STORY))

    with pytest.raises(Misconfigured, match="writer-running"):
        rebuild(tmp_path, rules=rules())

    writer.close()


def test_a_rebuild_that_dies_is_finished_by_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_of(STORY)
    written(tmp_path, log).close()
    right = digest(tmp_path)
    with duckdb.connect(str(tmp_path / "tables.duckdb")) as damaged:
        damaged.execute("DELETE FROM rows.T_MCO23B")

    def dying(sink: Any) -> str:
        if sink.unpublished():  # the fresh one, complete and not yet swapped in
            raise Died
        return digest(sink)

    monkeypatch.setattr(rebuilding, "digest", dying)
    with pytest.raises(Died):
        rebuild(tmp_path, rules=rules())
    written(tmp_path, log).close()

    assert digest(tmp_path) == right


@pytest.mark.slow
def test_the_state_moves_to_postgresql_with_the_same_tables(tmp_path: Path, postgres: PostgresConnection) -> None:
    log = log_of(STORY)
    written(tmp_path / "data", log).close()

    moved = move_to_postgres(tmp_path / "data", postgres, rules=rules())
    log.append([LATER], log.counts[0])
    writer = TableWriter(PostgresStore(postgres), consumer=log, rules=rules())
    writer.drain()
    after = digest(writer.sink)
    writer.close()
    written(tmp_path / "data", log).close()

    assert moved.same
    assert after == digest(tmp_path / "data")
    with pytest.raises(Misconfigured, match="store-not-empty"):
        move_to_postgres(tmp_path / "data", postgres, rules=rules())


@pytest.mark.slow
def test_a_rebuild_in_postgresql_swaps_its_schemas_and_readers_keep_their_right(postgres: PostgresConnection) -> None:
    writer = TableWriter(PostgresStore(postgres), consumer=log_of(STORY), rules=rules())
    writer.drain()
    right = digest(writer.sink)
    with pytest.raises(Misconfigured, match="writer-running"):
        rebuild_postgres(postgres, rules=rules())
    writer.close()
    with postgres.open() as connection:
        connection.execute("DELETE FROM rows.t_mco23b")

    rebuilt = rebuild_postgres(postgres, rules=rules())

    assert rebuilt.after == right != rebuilt.before
    with postgres.open() as reader:
        reader.execute("SET ROLE snds_reader")
        counted = reader.execute("SELECT count(*) FROM snds.T_MCO23B").fetchone()
        schemas = reader.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE '%rebuilding%'").fetchall()
    assert counted == (1,)
    assert schemas == []
