"""One broker and one database server for all tests of a session, each test with topics or a database of its own."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from kafka.errors import KafkaError

from fhir_profiles.errors import PipelineError
from streaming.postgres import PostgresConnection
from streaming.topics import TOPICS, KafkaConnection, admin, check_topics, create_topics
from tests.support import kafka_broker, postgres_server

NUMBERED = itertools.count(1)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kafka_broker.KafkaBroker]:
    """A running broker that no test may harm."""
    if reason := kafka_broker.missing():
        pytest.skip(f"no real Kafka here: {reason}")
    with kafka_broker.running_broker(tmp_path_factory.mktemp("kafka") / "broker") as running:
        yield running


@pytest.fixture
def kafka(broker: kafka_broker.KafkaBroker) -> KafkaConnection:
    """The topics, made anew."""
    return fresh_topics(KafkaConnection((broker.bootstrap,)))


@pytest.fixture(scope="session")
def server() -> Iterator[postgres_server.PostgresServer]:
    """A running database server that no test may harm."""
    if reason := postgres_server.missing():
        pytest.skip(f"no real PostgreSQL here: {reason}")
    with postgres_server.running_postgres() as running:
        yield running


@pytest.fixture
def postgres(server: postgres_server.PostgresServer) -> PostgresConnection:
    """An empty database."""
    return server.create(f"test_{next(NUMBERED)}")


def without_topics(connection: KafkaConnection) -> KafkaConnection:
    """Remove our topics, if there are any: other tests of the session had the same broker."""
    client = admin(connection)
    ours = {topic.name for topic in TOPICS}
    deadline = time.monotonic() + 180
    while left := sorted(ours & set(client.list_topics())):
        with suppress(KafkaError):  # a deleted one is listed a moment longer, and would not be made again
            client.delete_topics(left)
        assert time.monotonic() < deadline, "topics never go"
        time.sleep(0.02)
    client.close()
    return connection


def fresh_topics(connection: KafkaConnection) -> KafkaConnection:
    """Remove our topics, if there are any, and make them again."""
    return made_topics(without_topics(connection))


def made_topics(connection: KafkaConnection, *, replication: int = 1) -> KafkaConnection:
    """Make our topics, as soon as they can be: old ones may be going still, a broker that started be unknown yet."""
    deadline = time.monotonic() + 180
    while True:
        try:
            create_topics(connection, replication=replication)
            check_topics(connection)
        except PipelineError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return connection


def folder_of(base: Path) -> Path:
    """Return a folder that does not exist yet."""
    return base / f"data{next(NUMBERED)}"
