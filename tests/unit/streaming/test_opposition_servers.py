"""A person who objected is out of PostgreSQL and stays out, whatever dies and whatever Kafka holds. Promise: P18."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from fhir_profiles.errors import Unavailable
from streaming.accounts import status
from streaming.broker import Consumer, Counts
from streaming.erasure import effect
from streaming.event import Event
from streaming.kafka_consumer import KafkaLog
from streaming.kafka_publisher import KafkaPublisher
from streaming.kafka_register import KafkaRegister
from streaming.opposition import Act, Kind
from streaming.postgres import PostgresConnection
from streaming.postgres_store import PostgresStore
from streaming.register import EmbeddedRegister, Register
from streaming.table_writer import Pace, TableWriter
from streaming.topics import KafkaConnection
from tests.support.made_events import FINESS, condition, log_of, rules
from tests.support.postgres_server import PostgresServer
from tests.unit.streaming.test_opposition import MARK, Died, act, person

pytestmark = pytest.mark.slow
WITHIN_S = 240.0
Answer = TypeVar("Answer")

OBJECTED = act(("ano", "", "ano-2"))
EVERYBODY = [person(1), person(2), person(3)]


def apply(
    where: PostgresConnection,
    register: Register,
    consumer: Consumer,
    *,
    at: Callable[[str], None] = lambda _: None,
    **changes: Any,
) -> None:
    """Apply what there is; begin anew while a server does not answer, as a writer does."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        writer = TableWriter(
            PostgresStore(where), consumer=consumer, rules=rules(**changes), register=register, at=at,
            pace=Pace(coalesce_s=0.0),
        )  # fmt: skip
        try:
            writer.drain()
        except Unavailable:
            if time.monotonic() > deadline:
                raise
        else:
            return
        finally:
            writer.close()


def codes(where: PostgresConnection) -> list[str]:
    with where.open() as reader:
        reader.execute("SET ROLE snds_reader")
        return [code for (code,) in reader.execute("SELECT dgn_pal FROM snds.t_mco24b ORDER BY 1").fetchall()]


def told(where: PostgresConnection, act_id: str) -> tuple[int, int, bool]:
    """Return what the receipt would say: resources, rows, done."""
    store = PostgresStore(where)
    try:
        found = effect(store.state.connection, act_id)
    finally:
        store.close()
    assert found is not None
    return found.resources, found.rows, found.done_at is not None


def kept(folder: Path, *acts: Act) -> EmbeddedRegister:
    register = EmbeddedRegister(folder / "events.sqlite")
    for one in acts:
        register.keep(one)
    return register


def left_in_files(where: PostgresConnection, server: PostgresServer, texts: Sequence[str]) -> list[tuple[str, bytes]]:
    """Return what files still hold once no session, of the server itself either, sees removed rows any more."""
    deadline = time.monotonic() + WITHIN_S
    while (found := files_with(where, server, texts)) and time.monotonic() < deadline:
        pass
    return found


def files_with(where: PostgresConnection, server: PostgresServer, texts: Iterable[str]) -> list[tuple[str, bytes]]:
    """Return which files of the database (tables, indexes, overflow) hold one of these texts, free space apart.

    VACUUM gives the space of removed rows back; the server overwrites it when it uses it again. Written anew, a file
    holds what is left and nothing else.
    """
    with where.open() as session:
        session.execute("VACUUM FULL")
        session.execute("CHECKPOINT")
        row = session.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
    assert row is not None
    folder = server.folder / "data" / "base" / str(row[0])
    held: dict[str, bytes] = {}
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # a session that ends takes its temporary tables away
            held[path.name] = path.read_bytes()
    return [(name, text) for name, content in held.items() for text in map(str.encode, texts) if text in content]


@pytest.mark.skipif(os.getuid() != 0, reason="reads the server's own files")
@pytest.mark.parametrize("kind", ["opposition", "erasure"])
def test_no_file_of_the_database_holds_a_key_of_the_person_in_any_table_or_dead_letter(
    kind: Kind, postgres: PostgresConnection, server: PostgresServer, tmp_path: Path
) -> None:
    exploding = {**condition("c-x", "X", person="rest-2", stay="visit-2"), "explode": True}
    register, log = kept(tmp_path), log_of([*EVERYBODY, person(2, exploding, named="dead letter")])
    apply(postgres, register, log)
    keys = (f"{MARK}2", "pat-2", "rest-2", "ano-2", "visit-2", "enc-2", "fact-2")
    assert {text.decode() for _, text in files_with(postgres, server, keys)} == set(keys)

    register.keep(act(("ano", "", "ano-2"), kind=kind))
    apply(postgres, register, log)

    assert codes(postgres) == [f"{MARK}1", f"{MARK}3"]
    assert left_in_files(postgres, server, keys) == []
    assert files_with(postgres, server, ["pat-1"])
    register.close()


def statistics(where: PostgresConnection) -> str:
    """Return what the server noted of the values of its columns."""
    with where.open() as owner:
        noted = owner.execute("SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats").fetchall()
    return str(noted)


def test_the_statistics_of_the_server_forget_the_person_too(postgres: PostgresConnection, tmp_path: Path) -> None:
    keys = ("rest-2", "visit-2", "enc-2", f"{MARK}2")
    register, log = kept(tmp_path), log_of(EVERYBODY)
    apply(postgres, register, log)
    with postgres.open() as owner:
        owner.execute("ANALYZE")
    known = statistics(postgres)
    register.keep(OBJECTED)
    apply(postgres, register, log)

    assert [key for key in keys if key not in known] == []
    assert [key for key in keys if key in statistics(postgres)] == []
    assert "rest-1" in statistics(postgres)
    register.close()


@pytest.mark.parametrize("point", ["removed", "planned", "written", "settled", "purged"])
def test_dying_in_the_middle_of_an_act_is_finished_by_the_next_writer(
    point: str, postgres: PostgresConnection, tmp_path: Path
) -> None:
    register, log = kept(tmp_path), log_of(EVERYBODY)
    apply(postgres, register, log)
    register.keep(OBJECTED)

    def die(label: str) -> None:
        if label == point:
            raise Died

    with pytest.raises(Died):
        apply(postgres, register, log, at=die)
    apply(postgres, register, log)

    assert codes(postgres) == [f"{MARK}1", f"{MARK}3"]
    assert told(postgres, OBJECTED.id) == (4, 2, True)
    register.close()


def test_a_limitation_hides_the_rows_keeps_them_and_a_lift_shows_them(
    postgres: PostgresConnection, tmp_path: Path
) -> None:
    limited = act(("ano", "", "ano-2"), kind="limitation")
    register, log = kept(tmp_path), log_of(EVERYBODY)
    apply(postgres, register, log)

    register.keep(limited)
    apply(postgres, register, log)
    hidden = codes(postgres)
    with postgres.open() as owner:
        stored = owner.execute("SELECT count(*) FROM rows.t_mco24b").fetchone()
    receipt = told(postgres, limited.id)
    register.keep(act(("ano", "", "ano-2"), kind="limitation", ended="2026-02-01T00:00:00+00:00"))
    apply(postgres, register, log)

    assert (hidden, stored) == ([f"{MARK}1", f"{MARK}3"], (3,))
    assert receipt == (0, 2, True)
    assert codes(postgres) == [f"{MARK}1", f"{MARK}2", f"{MARK}3"]
    register.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for the broker: it shows a moment later what it has acknowledged."""
    async with asyncio.timeout(WITHIN_S):
        while not await asyncio.to_thread(holds, condition):  # noqa: ASYNC110 - the condition is in another thread's hands
            await asyncio.sleep(0.05)


def holds(condition: Callable[[], bool]) -> bool:
    """Say whether it holds; what cannot be asked now does not hold yet."""
    try:
        return condition()
    except Unavailable:
        return False


async def answered(ask: Callable[[], Answer]) -> Answer:
    """Return what a server says, asking again while it does not answer, as a client does."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                return await asyncio.to_thread(ask)
            except Unavailable:
                await asyncio.sleep(0.05)


async def published(where: KafkaConnection, log: KafkaLog, *events: Event) -> None:
    """Publish events; what was refused is sent again, and may then be there twice under the same id."""
    before = await answered(lambda: {one: log.last_offset(one) for one in log.partitions()})
    publisher = KafkaPublisher(where)
    counts = Counts(FINESS, received=len(events), published=len(events))
    try:
        async with asyncio.timeout(WITHIN_S):
            while True:
                await until(publisher.ready)
                with suppress(Unavailable):
                    await publisher.publish(events, counts)
                    break
    finally:
        await publisher.close()
    ids = {one.id for one in events}
    await until(lambda: ids <= {read.event.id for one, after in before.items() for read in log.tail(one, after)})


async def test_a_replay_from_the_first_event_of_kafka_brings_nobody_back(
    kafka: KafkaConnection, server: PostgresServer, postgres: PostgresConnection, tmp_path: Path
) -> None:
    register, log = await answered(lambda: KafkaRegister(kafka)), await answered(lambda: KafkaLog(kafka))
    await published(kafka, log, *EVERYBODY)
    apply(postgres, register, log)
    await answered(lambda: register.keep(OBJECTED))
    await until(lambda: OBJECTED.id in register.acts().by_id)
    apply(postgres, register, log)
    await published(kafka, log, person(2, named="again"))
    apply(postgres, register, log)
    there, settled = codes(postgres), await answered(lambda: status(tmp_path, kafka=kafka, postgres=postgres))

    fresh = server.create("replayed")
    again, from_zero = await answered(lambda: KafkaRegister(kafka)), await answered(lambda: KafkaLog(kafka))
    apply(fresh, again, from_zero)
    replayed = await answered(lambda: status(tmp_path, kafka=kafka, postgres=fresh))

    assert there == codes(fresh) == [f"{MARK}1", f"{MARK}3"]
    assert settled.applied == replayed.applied == 4  # read, and not stored
    with fresh.open() as owner:
        held = owner.execute("SELECT count(*) FROM ops.resource WHERE key LIKE %s", ("%-2",)).fetchone()
    assert held == (0,)

    def is_settled() -> bool:
        apply(postgres, register, log)
        return status(tmp_path, kafka=kafka, postgres=postgres).idle

    await until(is_settled)
    for one in (register, log, again, from_zero):
        one.close()
