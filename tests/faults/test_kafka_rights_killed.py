"""The table writer of the server form is killed in the middle of an act on a person's rights. Promise: P18.

A real Kafka holds events and register, a real PostgreSQL state and tables; the writer is a process that SIGKILL ends at
a labelled point. The next one finishes the act: nothing of the person is left in any table, and the receipt verifies.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from psycopg import sql

from gateway.rights import KAFKA_RETENTION_DAYS, is_genuine, public_key, receipt
from streaming.erasure import effect
from streaming.kafka_consumer import KafkaLog
from streaming.kafka_register import KafkaRegister
from streaming.opposition import Act
from streaming.postgres import PostgresConnection
from streaming.postgres_store import PostgresStore
from streaming.topics import KafkaConnection
from tests.unit.streaming.test_opposition import MARK, act, person
from tests.unit.streaming.test_opposition_servers import answered, apply, codes, published, told, until
from transformers.deidentify.pseudonyms import random_key

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
PROJECT = Path(__file__).resolve().parents[2]
POINTS = ("removed", "planned", "written", "settled", "purged")
OBJECTING = dict(enumerate(POINTS, start=1))
STAYING = len(POINTS) + 1
KILLED = """
    import os, signal, sys
    from fhir_profiles.errors import Unavailable
    from streaming.erasure import effect
    from streaming.kafka_consumer import KafkaLog
    from streaming.kafka_register import KafkaRegister
    from streaming.postgres import PostgresConnection
    from streaming.postgres_store import PostgresStore
    from streaming.table_writer import Pace, TableWriter
    from streaming.topics import KafkaConnection
    from tests.support.made_events import rules

    bootstrap, dsn, act, point = sys.argv[1:]
    kafka, done = KafkaConnection((bootstrap,)), False

    def at(label):
        if label == point:
            os.kill(os.getpid(), signal.SIGKILL)

    while not done:
        try:
            store, log, register = PostgresStore(PostgresConnection(dsn)), KafkaLog(kafka), KafkaRegister(kafka)
            writer = TableWriter(
                store, consumer=log, rules=rules(), register=register, at=at, pace=Pace(coalesce_s=0.0)
            )
            writer.drain()
            found = effect(store.state.connection, act)
            done = found is not None and found.done_at is not None
            writer.close()
        except Unavailable:
            continue
"""


def killed(kafka: KafkaConnection, postgres: PostgresConnection, objected: Act, point: str) -> int:
    """Run a writer that is killed at this point of the act; return how the process ended."""
    words = [*kafka.bootstrap, postgres.dsn, objected.id, point]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), *words],
        cwd=PROJECT, capture_output=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()[-2000:]
    return done.returncode


def held(where: PostgresConnection, texts: list[str]) -> set[tuple[str, str]]:
    """Return which tables of the database hold one of these texts, in a column of text or of bytes."""
    found = set()
    with where.open() as owner:
        tables = owner.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('ops', 'rows', 'snds')"
        ).fetchall()
        for schema, table in tables:
            query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(schema, table))
            whole = "\n".join(row for (row,) in owner.execute(query))
            found |= {(table, text) for text in texts if text in whole or text.encode().hex() in whole}
    return found


def names(number: int) -> list[str]:
    return [f"{MARK}{number}", *(f"{kind}-{number}" for kind in ("pat", "rest", "ano", "visit", "enc", "fact"))]


def signed(where: PostgresConnection, objected: Act) -> bool:
    """Make the receipt of what the act took away, and say whether it verifies as it is and in no other form."""
    ledger, store = random_key(), PostgresStore(where)
    try:
        shown = receipt(
            objected, effect(store.state.connection, objected.id), retention_days=KAFKA_RETENTION_DAYS, ledger=ledger
        )
    finally:
        store.close()
    changed = {**shown, "effect": {**shown["effect"], "rows": 0}}
    public = public_key(ledger)
    return is_genuine(shown, public=public) and not is_genuine(changed, public=public)


async def test_an_act_of_whose_middle_the_writer_is_killed_is_finished_by_the_next_one(
    kafka: KafkaConnection, postgres: PostgresConnection
) -> None:
    register, log = await answered(lambda: KafkaRegister(kafka)), await answered(lambda: KafkaLog(kafka))
    await published(kafka, log, *map(person, (*OBJECTING, STAYING)))
    apply(postgres, register, log)
    assert {table for table, _ in held(postgres, names(1))} >= {"resource", "declared", "t_mco24b"}

    for number, point in OBJECTING.items():
        objected = act(("ano", "", f"ano-{number}"), number=number)
        await answered(lambda objected=objected: register.keep(objected))
        await until(lambda objected=objected: objected.id in register.acts().by_id)

        ended = await asyncio.to_thread(killed, kafka, postgres, objected, point)
        left_open = not told(postgres, objected.id)[2]
        await until(lambda objected=objected: finished(postgres, register, log, objected))

        assert ended == -signal.SIGKILL, point
        assert left_open, point
        assert held(postgres, names(number)) == set(), point
        assert told(postgres, objected.id) == (4, 2, True), point
        assert signed(postgres, objected), point

    assert codes(postgres) == [f"{MARK}{STAYING}"]
    assert held(postgres, names(STAYING))
    for one in (register, log):
        one.close()


def finished(where: PostgresConnection, register: KafkaRegister, log: KafkaLog, objected: Act) -> bool:
    """Start the writer again; the server may hold what the killed one had locked for a moment more."""
    apply(where, register, log)
    return told(where, objected.id)[2]
