"""Reading an event: versions, persons, stays and references come out right, and nothing is trusted."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from fhir_profiles.errors import Poisoned
from streaming.event import Event, Record
from streaming.staging import links_of, nanoseconds, read_event
from tests.support.made_events import (
    condition,
    deleted,
    encounter,
    event,
    identified,
    patient,
    raw_event,
    reference,
    resource,
)


def read(one: Event) -> Any:
    return read_event(Record(0, 1, one))


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T00:00:00.1234567899Z", 123_456_789),
        ("1601-01-01T00:00:00Z", -(2**63 - 1)),
        ("0001-01-01T00:00:00+14:00", -(2**63 - 1)),
        ("9999-12-31T23:59:59Z", 2**63 - 1),
        ("1970-13-01T00:00:00Z", None),
        ("1970-01-01", None),
        (None, None),
        (12, None),
    ],
)
def test_an_instant_is_read_to_the_nanosecond(instant: object, expected: int | None) -> None:
    assert nanoseconds(instant) == expected


def test_a_version_is_stamped_by_last_updated_else_the_bundle_else_the_receipt() -> None:
    stamped = read(event(patient(updated=-3), at=0, timestamp=-5)).entries[0].version
    by_bundle = read(event(patient(), at=0, timestamp=-5)).entries[0].version
    by_receipt = read(event(patient(), at=0)).entries[0].version
    minute = 60_000_000_000

    assert (stamped.stamped, stamped.received - stamped.stamp) == (True, 3 * minute)
    assert (by_bundle.stamped, by_bundle.received - by_bundle.stamp) == (False, 5 * minute)
    assert (by_receipt.stamped, by_receipt.stamp) == (False, by_receipt.received)


def test_a_clock_that_runs_ahead_more_than_five_minutes_is_ignored_and_counted() -> None:
    within = read(event(patient(updated=4.9), at=0))
    ahead = read(event(patient(updated=5.1), at=0))

    assert (within.ahead, within.entries[0].version.stamped) == (0, True)
    assert (ahead.ahead, ahead.entries[0].version.stamped) == (1, False)


@pytest.mark.parametrize(
    ("version", "expected"), [("3", 3), ("012", 12), ("abc", -1), ("9" * 40, -1), ("²", -1), (None, -1)]
)
def test_only_an_integer_version_counts(version: str | None, expected: int) -> None:
    assert read(event(patient(version=version))).entries[0].version.version_id == expected


def test_each_resource_names_its_person_and_its_stay() -> None:
    person = reference("Patient", "person", "p")
    entries = read(
        event(
            patient("k1", "rest", "ipp"),
            encounter("k2", "visit", "vn", person="p"),
            condition("k3", "I10", person="p", stay="visit"),
            resource("Coverage", "k4", beneficiary=person),
            resource("Claim", "k5", patient=person),
            resource("Account", "k6", subject=[person]),
            resource("MedicationAdministration", "k7", subject=person, context=reference("Encounter", "stay", "v")),
            resource("Organization", "k8"),
        )
    ).entries

    assert [(one.key, one.version.person, one.version.stay) for one in entries] == [
        ("k1", "rest", None),
        ("k2", "p", "visit"),
        ("k3", "p", "visit"),
        ("k4", "p", None),
        ("k5", "p", None),
        ("k6", "p", None),
        ("k7", "p", "v"),
        ("k8", None, None),
    ]


def test_a_deletion_is_a_tombstone_without_a_version() -> None:
    [entry] = read(event(deleted("k1"))).entries

    assert (entry.key, entry.type, entry.version) == ("k1", "Condition", None)


def test_edges_are_aliases_links_and_references_to_structures() -> None:
    merged = patient("k1", "a", "b", link=[{"type": "replaces", "other": reference("Patient", "person", "c")}])
    unit = encounter(
        "k2",
        "s1",
        "s2",
        location=[{"location": reference("Location", "resource", "loc")}],
        serviceProvider=reference("Organization", "resource", "org"),
        diagnosis=[{"condition": reference("Condition", "resource", "cond")}],
    )

    person, stay = links_of("Patient", orjson.dumps(merged)), links_of("Encounter", orjson.dumps(unit))

    assert (person.kind, person.aliases) == ("person", {"a", "b", "c"})
    assert (stay.kind, stay.aliases, stay.targets) == ("stay", {"s1", "s2"}, {"loc", "org"})


@pytest.mark.parametrize(
    ("poison", "code"),
    [
        (raw_event(b"{"), "event-json"),
        (raw_event(b"[]"), "event-shape"),
        (raw_event(b'{"resourceType":"Patient"}'), "event-shape"),
        (raw_event(b'{"resourceType":"Bundle","entry":{}}'), "event-shape"),
        (raw_event(b'{"resourceType":"Bundle","entry":[1]}'), "event-shape"),
        (raw_event(b'{"resourceType":"Bundle","entry":[{"resource":{}}]}'), "event-resource"),
        (raw_event(orjson.dumps({"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient",
            "identifier": identified("person", "p")}}]})), "event-resource"),
        (raw_event(b"{}", ce_type="fr.snds-gateway.bundle.v2"), "event-type"),
        (raw_event(b"{}", ce_source="/somewhere"), "event-headers"),
        (raw_event(b"{}", ce_time="yesterday"), "event-headers"),
    ],
)  # fmt: skip
def test_an_event_that_is_not_ours_is_poison_with_a_code(poison: Event, code: str) -> None:
    with pytest.raises(Poisoned, match=code):
        read(poison)


def test_odd_shapes_inside_a_resource_never_raise() -> None:
    odd = resource("Encounter", "k", subject="x", period=3, meta=[], location={"location": None}, link=7)
    odd["meta"] = "text"

    [entry] = read(event(odd)).entries

    assert entry.version.person is None


@pytest.mark.parametrize(
    "more",
    [
        b"",
        b',"timestamp":"2025-01-01T00:00:00Z","type":"collection"',
        b',"type":"collection","entry_":[{"resource":{}}]',
        b' , "type": "collection"',
        b',"signature":{"who":{"display":"}],\\"resourceType\\":\\"Bundle\\"}"}}',
    ],
)
@pytest.mark.parametrize(
    "nested",
    [
        {},
        {"note": 'a text },{"resource":{ }],"resourceType":"Bundle"'},
        {"contained": [{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Basic"}}]}]},
        {"contained": [{"entry": [{"fullUrl": "x"}], "resourceType": "Bundle"}]},
    ],
)
def test_the_bytes_of_each_resource_are_its_own_whatever_stands_around_it(more: bytes, nested: dict[str, Any]) -> None:
    made = [patient(), resource("Observation", "obs-1") | nested, condition("c-1", "I10")]
    written = [orjson.dumps(one, option=orjson.OPT_SORT_KEYS) for one in made]
    entries = b",".join(b'{"resource":' + one + b"}" for one in written)
    value = b'{"entry":[' + entries + b'],"resourceType":"Bundle"' + more + b"}"

    read_ = read(Event("e", "k", event(patient()).headers, value))

    assert [one.version.body for one in read_.entries] == written


def test_entries_that_say_more_than_a_resource_are_written_anew() -> None:
    made = [patient(), condition("c-1", "I10")]
    value = orjson.dumps({"resourceType": "Bundle", "entry": [{"fullUrl": "x", "resource": one} for one in made]})

    read_ = read(Event("e", "k", event(patient()).headers, value))

    assert [orjson.loads(one.version.body) for one in read_.entries] == made


@pytest.mark.parametrize(
    ("changes", "targets"),
    [
        (
            {
                "performer": [reference("Organization", "resource", "org-1")],
                "specimen": reference("Specimen", "resource", "spec-1"),
            },
            {"org-1", "spec-1"},
        ),
        (
            {
                "performer": [reference("Organization", "resource", "org-1")],
                "hasMember": [reference("Observation", "resource", "obs-2")],
            },
            {"org-1"},
        ),
        ({"performer": [reference("Organization", "resource", "org-1") | {"extension": [{"url": "x"}]}]}, {"org-1"}),
        ({"performer": [{"type": "Organization"}]}, set()),
    ],
)
def test_structures_are_found_in_references_of_any_form(changes: dict[str, Any], targets: set[str]) -> None:
    made = resource("Observation", "obs-1", **changes)

    links = links_of("Observation", orjson.dumps(made, option=orjson.OPT_SORT_KEYS))

    assert (links.kind, links.aliases, links.targets) == (None, frozenset(), targets)
