"""Plain values → the log, the reader and the table writer of an installation: the one place that knows every kind.

`serve` opens a publisher a worker process and a writer; `tables run` a writer alone. Nothing of the gateway is
imported: settings become `KafkaConnection` and `PostgresConnection` there.
"""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from fhir_profiles.errors import Unavailable
from streaming.accounts import STATE
from streaming.broker import Consumer, Publisher
from streaming.conversion import Rules
from streaming.dead_letter import Announce, nobody
from streaming.embedded_log import MAX_BYTES_IN_FLIGHT, MIN_FREE_BYTES, EmbeddedConsumer, EmbeddedLog, erase, trim
from streaming.postgres import PostgresConnection
from streaming.reading import LOG
from streaming.register import EmbeddedRegister, Register
from streaming.state import State
from streaming.store import EmbeddedStore, Store
from streaming.table_writer import USUAL, Pace, TableWriter
from streaming.topics import KafkaConnection, check_topics
from streaming.turns import BESIDE_A_GATEWAY

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
DISK_RETRY_S = 5


def open_publisher(
    data_dir: Path,
    *,
    kafka: KafkaConnection | None = None,
    node: str = "gateway",
    max_bytes_in_flight: int = MAX_BYTES_IN_FLIGHT,
) -> Publisher:
    """Open the log that a gateway process publishes to: Kafka when a connection is given, else `D/events.sqlite`.

    Returns at once also while the broker is away (`ready()` says so). `node` names the process in the counts topic.
    No event larger than `event.MAX_EVENT_BYTES` may be given to it: the intake answers 413 first.
    """
    if kafka is None:
        return EmbeddedLog(data_dir / LOG, max_bytes_in_flight=max_bytes_in_flight)
    from streaming.kafka_publisher import KafkaPublisher  # the client library takes 0.2 s to import

    return KafkaPublisher(kafka, node=node, bytes_in_flight=max_bytes_in_flight)


@contextmanager
def open_consumer(data_dir: Path, *, kafka: KafkaConnection | None = None) -> Iterator[Consumer]:
    """Open the log for reading and close it afterwards.

    Raises `Misconfigured` when the topics cannot keep the promises, `Unavailable` while the broker is away.
    """
    if kafka is None:
        embedded = EmbeddedConsumer(data_dir / LOG)
        try:
            yield embedded
        finally:
            embedded.close()
        return
    from streaming.kafka_consumer import KafkaLog

    check_topics(kafka)
    log = KafkaLog(kafka)
    try:
        yield log
    finally:
        log.close()


@contextmanager
def open_writer(
    data_dir: Path,
    *,
    rules: Rules,
    kafka: KafkaConnection | None = None,
    postgres: PostgresConnection | None = None,
    pace: Pace = USUAL,
    log_retention_days: int = 7,
) -> Iterator[TableWriter]:
    """Open a table writer on its log and its store, and close all of them afterwards.

    `log_retention_days` is how long the embedded log keeps what was applied (Kafka: the topic's own setting).
    Tables and state are in PostgreSQL when a connection is given (any number of writers), else in the data folder
    (one). Call `run(stop)` on it. Raises `Misconfigured` (a second writer, foreign offsets, topics, rights in the
    database) and, while broker or database are away at the start or the disk is full, `Unavailable`: try again.
    """
    with ExitStack() as opened:
        with _disk(data_dir):
            consumer = opened.enter_context(open_consumer(data_dir, kafka=kafka))
            announce = opened.enter_context(_announcing(kafka))
            register = opened.enter_context(closing(open_register(data_dir, kafka=kafka)))
            store = opened.enter_context(closing(open_store(data_dir, postgres=postgres)))
        options: dict[str, Any] = {}
        if kafka is None:  # nobody else looks after the embedded log, and the gateway is on the same processors
            path, kept = data_dir / LOG, timedelta(days=log_retention_days)
            pace = replace(pace, late_s=min(pace.late_s, kept.total_seconds() / 2), shares=BESIDE_A_GATEWAY)
            options["erase_log"] = partial(erase, path)
            options["forget"] = lambda applied: trim(path, received_before=datetime.now(UTC) - kept, applied=applied)
        yield TableWriter(
            store, consumer=consumer, rules=rules, pace=pace, announce=announce, register=register, **options
        )


@contextmanager
def _disk(data_dir: Path) -> Iterator[None]:
    """Say `store-disk` where files cannot be opened for want of room: it comes back, and the rest is as it was."""
    try:
        yield
    except (sqlite3.OperationalError, duckdb.IOException, OSError) as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        full = code == sqlite3.SQLITE_FULL or (isinstance(error, OSError) and error.errno in NO_ROOM)
        if full or shutil.disk_usage(data_dir).free < MIN_FREE_BYTES:
            raise Unavailable("store-disk", retry_after_s=DISK_RETRY_S) from None
        raise


def open_register(data_dir: Path, *, kafka: KafkaConnection | None = None) -> Register:
    """Open the register of oppositions; the caller closes it. Raises `Unavailable` while the broker is away.

    The gateway asks it before publishing: `register.acts().suppressing(finess, keys_of(…), …)`.
    """
    if kafka is None:
        return EmbeddedRegister(data_dir / LOG)
    from streaming.kafka_register import KafkaRegister

    return KafkaRegister(kafka)


def open_store(data_dir: Path, *, postgres: PostgresConnection | None = None) -> Store:
    """Open state and tables together, as a writer does; the caller closes it."""
    if postgres is None:
        return EmbeddedStore(data_dir)
    from streaming.postgres_store import PostgresStore

    return PostgresStore(postgres)


def open_state(data_dir: Path, *, postgres: PostgresConnection | None = None) -> State:
    """Open the state alone, beside a running writer (dead letters, quality); the caller closes it."""
    if postgres is None:
        return State(data_dir / STATE)
    from streaming.postgres import PostgresEngine

    return State(PostgresEngine(postgres))


@contextmanager
def _announcing(kafka: KafkaConnection | None) -> Iterator[Announce]:
    if kafka is None:
        yield nobody
        return
    from streaming.kafka_dead_letters import KafkaDeadLetters

    letters = KafkaDeadLetters(kafka)
    try:
        yield letters
    finally:
        letters.close()
