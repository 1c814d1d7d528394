"""After `keys rotate platform` the state knows whose level 1 is still under a replaced key, until history is resent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from streaming.accounts import STATE
from streaming.batches import apply_batch
from streaming.dead_letter import FloodGuard
from streaming.event import Event, Record
from streaming.platform_keys import History, history
from streaming.postgres import PostgresConnection, PostgresEngine
from streaming.state import State
from tests.support.made_events import (
    FINESS,
    OTHER,
    contracts,
    deleted,
    encounter,
    log_of,
    patient,
    raw_event,
    reference,
    resource,
    written,
)
from tests.support.servers import postgres, server

__all__ = ["postgres", "server"]
OLD, NEW, NEXT = "0a0a0a0a", "0b0b0b0b", "0c0c0c0c"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State(tmp_path / STATE)
    yield opened
    opened.close()


def fact(person: str, code: str = "person", **chained: str) -> Any:
    """A fact of level-1 values, or one without any."""
    return resource(
        "Basic", f"{code}-{person}", code={"coding": [{"system": "urn:snds-gateway:fact", "code": code}]},
        subject=reference("Patient", "person", person),
        identifier=[{"system": f"urn:snds-gateway:{system}", "value": value} for system, value in chained.items()],
    )  # fmt: skip


def sent(key: str, *resources: Any, at: float, finess: str = FINESS) -> Event:
    """An event under a platform key, received at that minute."""
    value = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}
    body = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return raw_event(body, at=at, finess=finess, **{"key-id": f"{key}.11111111"})


def person(key: str, name: str, *, at: float, finess: str = FINESS) -> Event:
    return sent(key, patient(f"pat-{name}", name), fact(name, psa=f"{key}{name}", ano=key + name), at=at, finess=finess)


def apply(state: State, *events: Event) -> None:
    before = state.connection.execute("SELECT coalesce(max(position), 0) FROM stored_offset").fetchone()[0]
    records = [Record(0, before + number, one) for number, one in enumerate(events, start=1)]
    apply_batch(state, records, log_identity="log", contracts=contracts, flood=FloodGuard())


def found(state: State, **current: str) -> History:
    with state.transaction() as connection:
        return history(connection, **current)


def test_before_a_rotation_nobody_is_under_a_replaced_key_and_no_event_costs_a_row(state: State) -> None:
    apply(state, person(OLD, "a", at=0), person(OLD, "b", at=1))

    assert found(state) == History(OLD, ((OLD, 2),), 0)
    assert state.connection.execute("SELECT count(*) FROM event_key").fetchone()[0] == 0


def test_right_after_a_rotation_everybody_is_even_before_an_event_under_the_new_key(state: State) -> None:
    apply(state, person(OLD, "a", at=0), person(OLD, "b", at=1))

    assert found(state, current=NEW) == History(NEW, ((OLD, 2),), 2)


def again_until_nobody_is_left(state: State) -> None:
    apply(state, person(OLD, "a", at=0), person(OLD, "b", at=1), person(OLD, "c", at=2, finess=OTHER))
    counts = []
    for again in (person(NEW, "a", at=10), person(NEW, "c", at=11, finess=OTHER), person(NEW, "b", at=12)):
        apply(state, again)
        counts.append((found(state).current, found(state).replaced))

    assert counts == [(NEW, 2), (NEW, 1), (NEW, 0)]
    assert found(state).by_key == ((NEW, 3),)


def test_who_is_sent_again_leaves_the_count_until_it_is_zero(state: State) -> None:
    again_until_nobody_is_left(state)


@pytest.mark.slow
def test_the_server_form_counts_the_same(postgres: PostgresConnection) -> None:
    state = State(PostgresEngine(postgres))
    try:
        again_until_nobody_is_left(state)
    finally:
        state.close()


def test_every_replaced_key_counts_and_a_key_that_is_read_late_is_not_the_one_in_force(state: State) -> None:
    """Partitions are read in any order: an event of before the rotation may come after one of after it."""
    apply(state, person(NEW, "a", at=10), person(NEXT, "b", at=20), person(OLD, "c", at=0))

    assert found(state) == History(NEXT, ((OLD, 1), (NEW, 1), (NEXT, 1)), 2)


def test_an_event_of_the_old_key_that_loses_to_the_new_one_brings_nobody_back(state: State) -> None:
    apply(state, person(OLD, "a", at=0), person(NEW, "a", at=10), person(OLD, "a", at=5))

    assert found(state).replaced == 0


def test_a_patient_sent_again_without_its_coverage_is_still_under_the_old_key(state: State) -> None:
    apply(
        state,
        sent(OLD, patient("pat-a", "a"), fact("a", ano="1", psa="2"), fact("a", "insured", psa="3"), at=0),
        person(NEW, "a", at=10),
    )
    without = found(state)
    apply(state, sent(NEW, fact("a", "insured", psa="4"), at=11))

    assert without == History(NEW, ((OLD, 1), (NEW, 1)), 1)
    assert found(state) == History(NEW, ((NEW, 1),), 0)


def test_who_has_no_level_one_or_is_deleted_is_not_waited_for(state: State) -> None:
    apply(state, sent(OLD, patient("pat-a", "a"), fact("a"), fact("a", "age"), at=0), person(OLD, "b", at=1))
    apply(state, sent(NEW, deleted("pat-b"), deleted("person-b"), at=10), person(NEW, "c", at=11))

    assert found(state) == History(NEW, ((NEW, 1),), 0)


def test_two_patients_of_one_person_are_one_once_its_rows_are_written(tmp_path: Path) -> None:
    two = (patient("pat-a", "a", "ipp"), fact("a", ano="1"), patient("pat-b", "b", "ipp"), fact("b", ano="1"))
    written(tmp_path, log_of([sent(OLD, *two, encounter(person="a"), at=0), person(OLD, "c", at=1)])).close()

    state = State(tmp_path / STATE)
    counted = found(state, current=NEW)
    state.close()

    assert counted == History(NEW, ((OLD, 2),), 2)
