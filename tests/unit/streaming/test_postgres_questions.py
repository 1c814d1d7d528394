"""What operators ask of the state is asked of PostgreSQL too: dead letters, quarantine, a person's stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fhir_profiles.errors import Unavailable
from streaming import dead_letter
from streaming.accounts import wait_idle
from streaming.database import Database
from streaming.postgres import PostgresConnection, PostgresEngine
from streaming.postgres_store import PostgresStore
from streaming.quarantine import quarantined, stays_of
from streaming.state import State
from streaming.table_writer import Pace, TableWriter
from tests.support.made_events import FINESS, OTHER, condition, encounter, event, log_of, patient, rules
from tests.support.postgres_server import PostgresServer

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


def test_waiting_for_idle_outlasts_a_database_that_is_away_for_a_moment(server: PostgresServer, tmp_path: Path) -> None:
    away, waited = server.database("comes_later"), []

    def comes(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            server.create("comes_later")

    idle = wait_idle(tmp_path, 60, postgres=away, clock=lambda: 0.0, wait=comes)

    assert idle
    assert len(waited) == 2


def test_waiting_for_idle_says_in_the_end_that_the_database_is_away(server: PostgresServer, tmp_path: Path) -> None:
    now = [0.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    with pytest.raises(Unavailable, match="store-away"):
        wait_idle(tmp_path, 0.2, postgres=server.database("never_there"), clock=lambda: now[0], wait=wait)
