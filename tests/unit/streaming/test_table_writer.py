"""The table writer: what becomes of rows when resources are corrected, moved, merged, deleted or late."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from streaming.accounts import WISH, status
from streaming.broker import Counts
from streaming.event import Event
from streaming.state import State
from streaming.table_writer import Pace, TableWriter
from tests.support.made_events import (
    FINESS,
    OTHER,
    Pseudonyms,
    condition,
    deleted,
    encounter,
    event,
    log_of,
    patient,
    reference,
    resource,
    rules,
    written,
)

Write = Callable[..., TableWriter]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Apply events, all of them in one log, into a fresh installation."""
    with ExitStack() as stack:
        made: list[int] = []

        def apply(*events: Event, **options: Any) -> TableWriter:
            made.append(1)
            writer = written(tmp_path / f"data{len(made)}", log_of(events), **options)
            stack.callback(writer.close)
            return writer

        yield apply


def stays(writer: TableWriter) -> list[tuple[Any, ...]]:
    if "T_MCO24B" not in writer.sink.published_tables():
        return []
    return writer.sink.query("SELECT DGN_PAL, SEJ_NBJ, BDI_COD FROM T_MCO24B ORDER BY ALL")


def ops(writer: TableWriter, query: str) -> list[tuple[Any, ...]]:
    state: State = writer._state
    return state.connection.execute(query).fetchall()


def outcomes(writer: TableWriter) -> list[tuple[Any, ...]]:
    return ops(writer, "SELECT key, status, reason FROM stay ORDER BY 1, 2")


def test_a_correction_replaces_the_stay_as_a_whole(write: Write) -> None:
    writer = write(
        event(patient(), encounter(nights=4), condition("c1", "I10"), condition("c2", "E11")),
        event(encounter(nights=3), condition("c2", "J80"), at=1),
    )

    assert stays(writer) == [("I10", 3, "")]
    assert writer.sink.query("SELECT ASS_DGN FROM T_MCO24D ORDER BY 1") == [("I10",), ("J80",)]


def test_a_stay_that_changes_year_leaves_its_old_tables(write: Write) -> None:
    writer = write(
        event(patient(), encounter(period={"end": "2023-12-31T10:00:00+01:00"})),
        event(encounter(), at=1),
    )

    assert len(stays(writer)) == 1
    assert "T_MCO23B" not in writer.sink.published_tables()
    assert ops(writer, "SELECT name FROM owner_table ORDER BY 1") == [("T_MCO24B",)]


def test_an_older_correction_that_comes_late_is_superseded(write: Write) -> None:
    writer = write(
        event(patient(), encounter(nights=4, updated=-10)),
        event(encounter(nights=2, updated=-60), at=1),
    )

    assert stays(writer) == [("-", 4, "")]
    assert ops(writer, "SELECT value FROM counter WHERE name = 'superseded'") == [(1,)]


def test_a_stamp_of_centuries_ago_is_the_oldest_and_stops_nobody(write: Write) -> None:
    ancient = encounter(nights=4) | {"meta": {"lastUpdated": "1601-01-01T00:00:00Z"}}

    assert stays(write(event(patient(), ancient))) == [("-", 4, "")]
    assert stays(write(event(patient(), encounter(nights=2, updated=-60)), event(ancient, at=1))) == [("-", 2, "")]


def test_a_discharge_before_its_patient_waits_then_is_written(write: Write) -> None:
    discharge = event(encounter(), condition("c1", "I10"))

    waiting = write(discharge)
    arrived = write(discharge, event(patient(), at=1))

    assert (outcomes(waiting), stays(waiting)) == ([("enc-1", "quarantined", "patient-missing")], [])
    assert (outcomes(arrived), stays(arrived)) == ([("enc-1", "written", None)], [("I10", None, "")])
    assert ops(waiting, "SELECT event_id, entry FROM stay") == [(discharge.id, 0)]


def test_two_sources_meet_in_one_person_through_the_aliases_of_the_patient(write: Write) -> None:
    laboratory = event(condition("c9", "D50", person="ipp-1", stay="visit-1"))
    record = event(patient("pat-1", "rest-1", "ipp-1"), encounter(), at=1)

    assert stays(write(laboratory, record)) == stays(write(record, laboratory)) == [("D50", None, "")]


def test_a_corrected_patient_loses_its_old_edge(write: Write) -> None:
    writer = write(
        event(patient("pat-1", "rest-1", "ipp-2"), encounter()),
        event(condition("c9", "D50", person="ipp-2")),
        event(patient("pat-1", "rest-1", "ipp-1"), at=1),
        event(patient("pat-2", "rest-2", "ipp-2"), at=2),
    )

    assert stays(writer) == [("-", None, "")]
    assert ops(writer, "SELECT count(DISTINCT owner) FROM owner_alias WHERE alias <> ''") == [(1,)]


def test_persons_that_merge_and_part_again_never_have_doubled_rows(write: Write) -> None:
    apart = [
        event(patient("pat-1", "rest-1"), encounter("enc-1", "visit-1", person="rest-1"), condition("c1", "I10")),
        event(patient("pat-2", "rest-2"), encounter("enc-2", "visit-2", person="rest-2")),
    ]
    merged = event(patient("pat-2", "rest-2", "rest-1"), at=5)
    parted = event(patient("pat-2", "rest-2"), at=9)

    for events in (apart, [*apart, merged], [*apart, merged, parted], [parted, merged, *apart]):
        assert stays(write(*events)) == [("-", None, ""), ("I10", None, "")]


def test_a_result_without_subject_reaches_its_person_through_the_stay(write: Write) -> None:
    stub = event(encounter("stub", "lab-visit", "vn-1", person=None, status="cancelled"))
    result = event(condition("c1", "I10", person=None, stay="vn-1"))
    record = event(patient(), encounter("enc-1", "visit-1", "vn-1"), at=1)

    for events in ([stub, result, record], [record, result, stub], [result, record, stub]):
        assert stays(write(*events)) == [("I10", None, "")]


def test_a_structure_that_changes_is_seen_in_every_stay_that_refers_to_it(write: Write) -> None:
    place = {"location": [{"location": reference("Location", "resource", "loc")}]}
    unit = resource("Location", "loc", name="U", managingOrganization=reference("Organization", "resource", "org"))
    first = event(patient(), encounter(**place), unit)
    organization = event(resource("Organization", "org", name="A"), at=1)
    renamed = event(resource("Organization", "org", name="B"), at=2)

    assert stays(write(first)) == [("-", None, "U")]
    assert stays(write(first, organization)) == [("-", None, "U+A")]
    assert stays(write(organization, first, renamed)) == [("-", None, "U+B")]


def test_a_structure_that_a_stay_no_longer_refers_to_is_forgotten_with_the_reference(write: Write) -> None:
    place = {"location": [{"location": reference("Location", "resource", "loc")}]}
    unit = resource("Location", "loc", name="U", managingOrganization=reference("Organization", "resource", "org"))
    moved = event(encounter(), at=1)
    references = "SELECT target, key FROM refers ORDER BY 1"

    assert ops(write(event(patient(), encounter(**place), unit)), references) == [("loc", "enc-1"), ("org", "loc")]
    assert ops(write(event(patient(), encounter(**place), unit), moved), references) == [("org", "loc")]


def test_a_deleted_resource_leaves_and_a_later_version_brings_it_back(write: Write) -> None:
    first = event(patient(), encounter(), condition("c1", "I10"))
    removed = event(deleted("c1"), at=1)
    again = event(condition("c1", "E11"), at=2)

    assert stays(write(first, removed)) == [("-", None, "")]
    assert stays(write(first, removed, again)) == stays(write(again, removed, first)) == [("E11", None, "")]


def test_a_deleted_person_leaves_no_row_and_no_body(write: Write) -> None:
    writer = write(
        event(patient(), encounter(), condition("c1", "I10")),
        event(deleted("pat-1"), deleted("enc-1"), deleted("c1"), at=1),
    )

    assert stays(writer) == []
    assert outcomes(writer) == []
    assert ops(writer, "SELECT count(*) FROM resource WHERE body IS NOT NULL") == [(0,)]
    assert ops(writer, "SELECT count(*) FROM owner_alias WHERE alias <> ''") == [(0,)]


def test_a_resent_event_is_a_duplicate_and_changes_nothing(write: Write) -> None:
    sent = [patient(updated=-5), encounter(), condition("c1", "I10")]

    writer = write(event(*sent, named="once"), event(*sent, named="once", at=7))

    assert stays(writer) == [("I10", None, "")]
    assert dict(ops(writer, "SELECT name, value FROM counter"))["duplicates"] == 1
    assert ops(writer, "SELECT value FROM counter WHERE name = 'superseded'") == []


def test_hospitals_never_share_a_person(write: Write) -> None:
    writer = write(
        event(patient(), encounter()),
        event(encounter(), condition("c1", "I10"), finess=OTHER),
    )

    assert writer.sink.query("SELECT ETA_NUM FROM T_MCO24B") == [(FINESS,)]
    assert outcomes(writer) == [("enc-1", "quarantined", "patient-missing"), ("enc-1", "written", None)]


def test_the_hospital_table_has_one_row_a_year_with_the_last_exit(write: Write) -> None:
    writer = write(
        event(patient(), encounter("enc-1"), encounter("enc-2", "v2", period={"end": "2024-07-01T10:00:00+02:00"})),
        event(encounter("enc-2", "v2", period={"end": "2024-05-01T10:00:00+02:00"}), at=1),
    )

    assert writer.sink.query("SELECT ANN_TRT, ETA_NUM, SOC_RAI FROM T_MCO24E") == [("2024-05", FINESS, "CHU FICTIF")]


def test_a_hospital_year_without_exits_has_no_row(write: Write) -> None:
    writer = write(event(patient(), encounter()), event(encounter(status="cancelled"), at=1))

    assert writer.sink.query("SELECT * FROM T_MCO24E") == []
    assert not any("24" in name for name in writer.sink.published_tables())


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_colliding_numbers_are_given_in_the_order_of_keys_not_of_arrival(write: Write, order: tuple[int, ...]) -> None:
    start = {f"enc-{name}": "9999999999" for name in "abc"}
    events = [
        event(patient(f"p{n}", f"r{n}"), encounter(f"enc-{n}", f"v{n}", person=f"r{n}", nights=i))
        for i, n in enumerate("abc")
    ]

    writer = write(*(events[place] for place in order), rules=rules(pseudonyms=Pseudonyms(start)))

    assert writer.sink.query("SELECT SEJ_NBJ, RSA_NUM FROM T_MCO24B ORDER BY 1") == [
        (0, "9999999999"),
        (1, "0000000000"),
        (2, "0000000001"),
    ]


def test_rows_wait_for_a_publication_unless_somebody_asks_or_much_waits(tmp_path: Path) -> None:
    log = log_of([event(patient(), encounter())])
    patient_, stay = patient("pat-2", "rest-2"), encounter("enc-2", "visit-2", person="rest-2")
    seen = []
    writer = TableWriter(tmp_path, consumer=log, rules=rules(), pace=Pace(coalesce_s=3600.0, held_bytes=10**6))
    try:
        writer._start()
        writer._write_at = time.monotonic() + 3600.0
        seen += [writer._step(), status(tmp_path).applied, len(stays(writer))]
        (tmp_path / WISH).touch()
        seen += [writer._step(), len(stays(writer)), writer._step(), (tmp_path / WISH).exists()]
        log.append([event(patient_, stay)], Counts(FINESS))
        seen += [writer._step(), len(stays(writer))]
        writer._waiting = 10**6
        seen += [writer._step(), len(stays(writer))]
    finally:
        writer.close()

    assert seen == [False, 1, 0, True, 1, False, False, False, 1, True, 2]
