"""What operators ask of the state is asked of PostgreSQL too: dead letters, quarantine, a person's stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streaming import dead_letter
from streaming.database import Database
from streaming.postgres import PostgresConnection, PostgresEngine
from streaming.postgres_store import PostgresStore
from streaming.quarantine import quarantined, stays_of
from streaming.state import State
from streaming.table_writer import Pace, TableWriter
from tests.support.made_events import FINESS, OTHER, condition, encounter, event, log_of, patient, rules
from tests.support.servers import postgres, server

__all__ = ["postgres", "server"]
pytestmark = pytest.mark.slow

STORY = [
    event(patient("pat-1", "rest-1"), encounter("enc-1", "v1", person="rest-1"), condition("c1", "I10", stay="v1")),
    event(encounter("enc-2", "v2", person="rest-9"), at=1),
    event(patient("pat-3", "rest-3"), at=2, finess="000000000"),  # no contract: a dead letter
]


@pytest.fixture
def connection(postgres: PostgresConnection) -> Iterator[Database]:
    """The state after the story, as a reader opens it."""
    writer = TableWriter(PostgresStore(postgres), consumer=log_of(STORY), rules=rules(), pace=Pace(coalesce_s=0.0))
    writer.drain()
    writer.close()
    state = State(PostgresEngine(postgres))
    yield state.connection
    state.close()


def test_dead_letters_are_listed_by_code_by_key_and_all(connection: Database) -> None:
    [letter] = dead_letter.letters(connection)

    assert dead_letter.letters(connection, code=letter.code, key=letter.record.event.key) == [letter]
    assert dead_letter.letters(connection, code="no-such-code") == []
    assert dead_letter.letters(connection, after=(letter.record.partition, letter.record.offset)) == []


def test_the_quarantine_is_listed_by_hospital_and_all(connection: Database) -> None:
    [stay] = quarantined(connection, finess=None, most=10)

    assert quarantined(connection, finess=FINESS, most=10) == [stay]
    assert quarantined(connection, finess=OTHER, most=10) == []
    assert stay.event_id == STORY[1].id


def test_a_person_s_stays_are_found_by_an_alias(connection: Database) -> None:
    found = stays_of(connection, FINESS, persons=["rest-1"], stays=[])

    assert [one.status for one in found] == ["written"]
