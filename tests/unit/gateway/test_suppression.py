"""What speaks of a person who objected is not published; entries that another event carries too are."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from gateway.decision import Decision
from gateway.suppression import without_opposed
from streaming.broker import Counts
from streaming.event import Event
from streaming.opposition import Act, Kind, acts_of, entry_of
from transformers.contract import Contract

FINESS = "750712184"


def event(*aliases: str, ano: str = "") -> Event:
    """An event of one person with these aliases."""
    identifier = [{"system": "urn:snds-gateway:person", "value": one} for one in aliases]
    resources = [{"resourceType": "Patient", "identifier": identifier}]
    if ano:
        resources.append({"resourceType": "Basic", "identifier": [{"system": "urn:snds-gateway:ano", "value": ano}]})
    value = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}
    return Event(aliases[0], f"person|{aliases[0]}", {}, orjson.dumps(value))


def decision() -> Decision:
    """Five entries: 0 and 1 of the first person, 2 and 3 of the second, 4 (an Organization) of both."""
    return Decision(
        Counts(FINESS, received=6, refused=1, published=5),
        "batch",
        6,
        events=(event("a", ano="ano-a"), event("b", "b2")),
        carried=((0, 1, 4), (2, 3, 4)),
        refused=frozenset({5}),
    )


def act(key: tuple[str, str, str], kind: Kind = "opposition", ended: str | None = None) -> Act:
    return Act("act", kind, FINESS, "request", "2026-01-01T00:00:00+00:00", ended, frozenset({key}))


CONTRACT = Contract(FINESS)
MISSION = Contract(FINESS, legal_basis="public-mission")
KNOWN = ("ano", "", "ano-a")


def test_without_acts_nothing_changes() -> None:
    before = decision()

    assert without_opposed(before, acts_of([]), CONTRACT) == (before, ())


def test_the_event_goes_its_own_entries_are_counted_and_the_shared_one_is_published() -> None:
    left, learnt = without_opposed(decision(), acts_of([entry_of(act(KNOWN))]), CONTRACT)

    assert [one.id for one in left.events] == ["b"]
    assert left.carried == ((2, 3, 4),)
    assert (left.counts.received, left.counts.refused, left.counts.suppressed, left.counts.published) == (6, 1, 2, 3)
    assert [(one.act, one.keys) for one in learnt] == [("act", frozenset({("person", FINESS, "a")}))]


def test_a_person_known_by_a_local_key_teaches_the_others() -> None:
    left, learnt = without_opposed(decision(), acts_of([entry_of(act(("person", FINESS, "b2")))]), CONTRACT)

    assert [one.id for one in left.events] == ["a"]
    assert [one.keys for one in learnt] == [frozenset({("person", FINESS, "b")})]


@pytest.mark.parametrize(
    ("one", "contract", "published"),
    [
        (act(KNOWN, ended="2026-02-01T00:00:00+00:00"), CONTRACT, 5),
        (act(KNOWN), MISSION, 5),
        (act(KNOWN, "erasure"), MISSION, 3),
        (act(KNOWN, "limitation"), CONTRACT, 5),
        (act(("person", "690781810", "a")), CONTRACT, 5),
        (act(("ano", "", "ano-z")), CONTRACT, 5),
    ],
)
def test_what_an_act_does_depends_on_its_kind_its_end_and_the_legal_basis(
    one: Act, contract: Contract, published: int
) -> None:
    left, _ = without_opposed(decision(), acts_of([entry_of(one)]), contract)

    assert left.counts.published == published
    assert left.counts.received == left.counts.refused + left.counts.suppressed + left.counts.published


RENEWED = (("ano", "ano-old", "ano-a"), ("psa", "psa-old|2", "psa-new|2"))


@pytest.mark.parametrize(("kind", "published"), [("opposition", 3), ("limitation", 5)])
def test_who_is_known_under_a_replaced_key_stays_out_and_is_known_under_the_new_one(kind: Kind, published: int) -> None:
    renewed = replace(decision(), former=(RENEWED, ()))

    left, learnt = without_opposed(renewed, acts_of([entry_of(act(("ano", "", "ano-old"), kind))]), CONTRACT)

    assert left.counts.published == published
    assert len(left.former) == len(left.events)
    assert ("ano", "", "ano-a") in {key for one in learnt for key in one.keys}
    assert not [key for one in learnt for key in one.keys if key[0] == "psa"]  # nothing that the act did not know


def test_a_twin_is_known_under_a_replaced_key_by_number_and_rank() -> None:
    renewed = replace(decision(), former=(RENEWED, ()))

    left, learnt = without_opposed(renewed, acts_of([entry_of(act(("psa", "", "psa-old|2")))]), CONTRACT)
    other, _ = without_opposed(renewed, acts_of([entry_of(act(("psa", "", "psa-old|1")))]), CONTRACT)

    assert (left.counts.published, other.counts.published) == (3, 5)
    assert ("psa", "", "psa-new|2") in {key for one in learnt for key in one.keys}
