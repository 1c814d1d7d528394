"""Poison is set aside with a code and holds up nothing; a flood stops the writer. Promise: P10."""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from fhir_profiles.errors import Poisoned
from streaming.accounts import Status, status
from streaming.dead_letter import FloodGuard
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
