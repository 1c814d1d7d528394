"""Poison is set aside with a code and holds up nothing; a flood stops the writer. Promise: P10."""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from fhir_profiles.errors import Poisoned, Unavailable
from streaming.accounts import Status, status
from streaming.dead_letter import FloodGuard
from streaming.dead_letter import letters as letters_of
from streaming.digest import digest
from streaming.replay import Replayed, replay
from streaming.state import State
from streaming.table_writer import Pace, TableWriter
from tests.support.made_events import encounter, event, log_of, patient, raw_event, row, rules, small_rows, written

GOOD = [patient(), encounter()]


def accounts(data_dir: Path) -> Status:
    return status(data_dir)


def letters(data_dir: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(data_dir / "ops.sqlite")
    rows = connection.execute('SELECT "offset", code, stage, value FROM dead_letter ORDER BY 1').fetchall()
    connection.close()
    return rows


def person(number: int, **encounter_changes: Any) -> list[Any]:
    return [
        patient(f"p{number}", f"r{number}"),
        encounter(f"e{number}", f"v{number}", person=f"r{number}", **encounter_changes),
    ]


def test_poison_is_set_aside_and_what_follows_is_applied(tmp_path: Path) -> None:
    stranger = event(*GOOD, finess="999999999")
    log = log_of([event(*GOOD), raw_event(b"{"), stranger, event(*person(2))])

    written(tmp_path, log, pace=Pace()).close()

    assert letters(tmp_path) == [(2, "event-json", "read", b"{"), (3, "hospital-unknown", "read", stranger.value)]
    assert (accounts(tmp_path).applied, accounts(tmp_path).dead_letters) == (2, 2)
    assert accounts(tmp_path).stays.written == 2


def test_one_poison_in_a_hundred_changes_nothing_for_the_others(tmp_path: Path) -> None:
    events = [raw_event(b"[]") if number % 100 == 50 else event(*person(number)) for number in range(1000)]

    written(tmp_path, log_of(events), pace=Pace()).close()

    assert (accounts(tmp_path).dead_letters, accounts(tmp_path).stays.written) == (10, 990)


def test_a_flood_of_poison_stops_the_writer_within_fifty(tmp_path: Path) -> None:
    log = log_of([event(*GOOD), *(raw_event(b"{") for _ in range(200))])
    writer = TableWriter(tmp_path, consumer=log, rules=rules())

    with pytest.raises(Poisoned, match="poison-flood"):
        writer.run(threading.Event())
    writer.close()

    assert (accounts(tmp_path).dead_letters, accounts(tmp_path).stopped) == (50, "poison-flood")


def test_a_writer_that_is_started_again_in_a_flood_stops_at_the_next_poison(tmp_path: Path) -> None:
    log = log_of([*(raw_event(b"{") for _ in range(60)), *(event(*person(number)) for number in range(3))])
    buried = []
    for _ in range(3):
        writer = TableWriter(tmp_path, consumer=log, rules=rules())
        with pytest.raises(Poisoned, match="poison-flood"):
            writer.run(threading.Event())
        writer.close()
        buried.append(accounts(tmp_path).dead_letters)

    assert buried == [50, 51, 52]


def test_after_a_flood_a_third_of_poison_stops_after_fifty_and_a_tenth_never() -> None:
    third, tenth = FloodGuard(), FloodGuard()
    stopped: dict[str, int] = {}
    for name, guard, every in (("third", third, 3), ("tenth", tenth, 10)):
        guard.distrust()
        for number in range(1, 1000):
            guard.observe(number % every == 0)
            if guard.flooded:
                stopped.setdefault(name, number)

    assert stopped == {"third": 50}


def test_a_fifth_of_the_last_five_hundred_is_a_flood() -> None:
    guard = FloodGuard()
    for number in range(500):
        guard.observe(number % 5 == 0)
    below = guard.flooded
    guard.observe(True)
    guard.observe(True)

    assert (below, guard.flooded) == (False, True)


def test_a_person_that_cannot_be_converted_is_quarantined_and_holds_up_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = event(*person(2), {**person(2)[0], "explode": "secret"}, encounter("e9", "v9", person="r2", explode="secret"))
    with caplog.at_level(logging.DEBUG):
        written(tmp_path, log_of([event(*person(1)), bad, event(*person(3))]), pace=Pace()).close()

    found = accounts(tmp_path)
    assert (found.applied, found.dead_letters, found.stays.written, found.stays.quarantined) == (2, 1, 2, 2)
    assert found.quarantine == (("conversion-failed", 2),)
    assert [letter[:3] for letter in letters(tmp_path)] == [(2, "conversion-failed", "convert")]
    assert "KeyError" in caplog.text
    assert "secret" not in caplog.text


def test_a_person_is_written_once_a_correction_can_be_converted(tmp_path: Path) -> None:
    log = log_of([event(*person(1, explode=True)), event(*person(1), at=1)])

    written(tmp_path, log).close()

    assert (accounts(tmp_path).applied, accounts(tmp_path).dead_letters) == (1, 1)
    assert accounts(tmp_path).stays.written == 1


def test_rows_that_the_store_refuses_quarantine_their_person_alone(tmp_path: Path) -> None:
    def wrong(view: Any, **options: Any) -> Any:
        rows = small_rows(view, **options)
        if "r2" in view.aliases:
            rows.tables["T_MCO24B"] = (row("T_MCOaaB", SEJ_NBJ="not a number"),)  # type: ignore[index]
        return rows

    log = log_of([event(*person(number)) for number in range(1, 5)])
    written(tmp_path, log, rules=rules(convert=wrong), pace=Pace()).close()

    assert accounts(tmp_path).stays.written == 3
    assert accounts(tmp_path).quarantine == (("conversion-failed", 1),)
    assert [letter[:2] for letter in letters(tmp_path)] == [(2, "conversion-failed")]


def mended(tmp_path: Path, **options: Any) -> Replayed:
    state = State(tmp_path / "ops.sqlite")
    try:
        return replay(state, rules=rules(), **options)
    finally:
        state.close()


def test_a_replay_after_the_mend_gives_exactly_the_missing_rows(tmp_path: Path) -> None:
    events = [event(*person(number), named=f"e-{number}") for number in range(1, 7)]
    expected = written(tmp_path / "reference", log_of(events))
    right = digest(expected.sink)
    expected.close()

    def wrong(view: Any, **options: Any) -> Any:
        if view.aliases & {"r2", "r5"}:
            raise KeyError("broken")
        return small_rows(view, **options)

    log = log_of(events)
    written(tmp_path / "data", log, rules=rules(convert=wrong), pace=Pace()).close()
    before = accounts(tmp_path / "data")

    replayed = mended(tmp_path / "data")
    writer = written(tmp_path / "data", log)

    assert (before.applied, before.dead_letters) == (4, 2)
    assert replayed == Replayed(2, 0)
    assert digest(writer.sink) == right
    writer.close()
    assert (accounts(tmp_path / "data").applied, accounts(tmp_path / "data").dead_letters) == (6, 0)


def test_what_still_cannot_be_applied_stays_a_dead_letter(tmp_path: Path) -> None:
    log = log_of([raw_event(b"{"), event(*GOOD, finess="999999999"), event(*person(1, explode=True))])
    written(tmp_path, log).close()

    replayed = mended(tmp_path)

    assert replayed == Replayed(0, 3)
    assert accounts(tmp_path).dead_letters == 3


def test_dead_letters_are_chosen_by_code_and_by_key(tmp_path: Path) -> None:
    written(tmp_path, log_of([raw_event(b"{"), event(*GOOD, finess="999999999"), raw_event(b"[]")])).close()
    state = State(tmp_path / "ops.sqlite")

    found = [letters_of(state.connection), letters_of(state.connection, code="hospital-unknown")]
    pages = [letters_of(state.connection, after=(0, offset), most=1) for offset in (-1, 1, 2, 3)]

    assert [len(one) for one in found] == [3, 1]
    assert [[one.record.offset for one in page] for page in pages] == [[1], [2], [3], []]
    assert letters_of(state.connection, key="person|nobody") == []
    assert len(letters_of(state.connection, key="person|rest-1")) == 3
    assert "rest-1" not in repr(found)
    state.close()


def test_nothing_is_committed_while_dead_letters_cannot_be_announced(tmp_path: Path) -> None:
    log = log_of([event(*GOOD), raw_event(b"{"), event(*person(2))])

    def away(_: Any) -> None:
        raise Unavailable("broker-away")

    writer = TableWriter(tmp_path, consumer=log, rules=rules(), announce=away)
    with pytest.raises(Unavailable):
        writer.drain()
    writer.close()
    assert (accounts(tmp_path).applied, accounts(tmp_path).lag) == (0, 0)

    told: list[Any] = []
    writer = TableWriter(tmp_path, consumer=log, rules=rules(), announce=told.extend)
    writer.drain()
    writer.close()
    assert (accounts(tmp_path).applied, accounts(tmp_path).dead_letters, len(told)) == (2, 1, 1)
