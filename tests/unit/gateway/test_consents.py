"""What a Consent says of research: an opposition, its end, nothing, or a reason to refuse it. Promise: P18."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import pytest

from gateway.consents import Reading, Told, judge, read_consent
from streaming.naming import Key
from streaming.opposition import Act, acts_of, entry_of

FINESS = "750712184"
TODAY = date(2026, 5, 4)
TERMS = "http://terminology.hl7.org/CodeSystem"
Json = dict[str, Any]


def coded(system: str, code: str) -> Json:
    return {"coding": [{"system": f"{TERMS}/{system}", "code": code}]}


RESEARCH, PRIVACY = coded("consentscope", "research"), coded("consentscope", "patient-privacy")
ANY = {"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}
HRESCH = {"system": f"{TERMS}/v3-ActReason", "code": "HRESCH"}
TREAT = {"system": f"{TERMS}/v3-ActReason", "code": "TREAT"}
OPT_OUT, OPT_IN = coded("v3-ActCode", "OPTOUT"), coded("v3-ActCode", "OPTIN")


def consent(kind: str | None = "deny", *, scope: Json = RESEARCH, **rest: Any) -> Json:
    made = {"resourceType": "Consent", "status": "active", "scope": scope, "category": [ANY], "policyRule": ANY}
    return made | ({"provision": {"type": kind}} if kind else {}) | rest


def limited(**rule: Any) -> Json:
    return consent(provision={"type": "deny"} | rule)


@pytest.mark.parametrize(
    ("posted", "reading"),
    [
        (consent(), "oppose"),
        (consent("permit"), "permit"),
        (consent(None, policyRule=OPT_OUT), "oppose"),
        (consent(None, policyRule=OPT_IN), "permit"),
        (consent(scope=PRIVACY, category=[coded("consentcategorycodes", "research")]), "oppose"),
        (consent(scope=PRIVACY, category=[coded("consentcategorycodes", "rsdid")]), "oppose"),
        (consent(scope=PRIVACY, provision={"type": "deny", "purpose": [HRESCH, TREAT]}), "oppose"),
        (limited(period={"start": "2026-05-04"}), "oppose"),
        (consent(status="inactive"), "end"),
        (consent(status="entered-in-error"), "end"),
        (consent("permit", status="inactive"), "lapsed"),
        (consent(status="draft"), "none"),
        (consent(status="proposed"), "none"),
        (consent(scope=PRIVACY), "none"),
        (consent(scope=coded("consentscope", "treatment")), "none"),
        (consent(scope={"coding": [{"system": "urn:other", "code": "research"}]}), "none"),
        (consent(scope={"text": "research"}), "none"),
        # what the register cannot hold
        (limited(period={"start": "2020-01-01", "end": "2030-01-01"}), "partial"),
        (limited(period={"start": "2026-05-05"}), "partial"),
        (limited(actor=[{"role": ANY, "reference": {"display": "x"}}]), "partial"),
        (limited(action=[ANY]), "partial"),
        (limited(code=[ANY]), "partial"),
        (limited(dataPeriod={"start": "2020-01-01"}), "partial"),
        (limited(provision=[{"type": "permit"}]), "partial"),
        (limited(purpose=[TREAT]), "partial"),
        (consent(None, policyRule=OPT_OUT, provision={"provision": [{"type": "permit"}]}), "partial"),
        (consent(provision={"type": "permit", "provision": [{"type": "deny"}]}), "partial"),
        # what cannot be read
        (consent(status="rejected"), "unclear"),
        (consent("permit", status="rejected"), "unclear"),
        (consent(None), "unclear"),
        (consent(policyRule=OPT_IN), "unclear"),
        (consent("permit", policyRule=OPT_OUT), "unclear"),
        (consent(None, status="inactive"), "unclear"),
    ],
)
def test_a_consent_is_an_opposition_its_end_nothing_or_a_reason_to_refuse(posted: Json, reading: Reading) -> None:
    assert read_consent(posted, today=TODAY) == reading


PERSON: Key = ("person", FINESS, "p1")


def told(reading: Reading, *, number: str = "c1", person: Key = PERSON, index: int = 0) -> Told:
    return Told(index, f"Bundle.entry[{index}].resource", reading, frozenset({person, ("consent", FINESS, number)}))


def act(*keys: Key, finess: str = FINESS, ended: str | None = None) -> Act:
    return Act("act", "opposition", finess, "objection", "2026-01-01T00:00:00+00:00", ended, frozenset(keys))


MADE_BY_C1 = act(PERSON, ("consent", FINESS, "c1"))
ON_PAPER = act(PERSON)


@pytest.mark.parametrize(
    ("reading", "known", "may_act", "code"),
    [
        ("oppose", (), False, "consent-needs-rights"),
        ("partial", (), False, "consent-needs-rights"),
        ("unclear", (), False, "consent-needs-rights"),
        ("end", (MADE_BY_C1,), False, "consent-needs-rights"),
        ("permit", (MADE_BY_C1,), False, "consent-needs-rights"),
        ("deleted", (MADE_BY_C1,), False, "consent-needs-rights"),
        ("permit", (ON_PAPER,), False, None),  # who may not act on rights learns nothing of them
        ("permit", (), False, None),
        ("none", (), False, None),
        ("partial", (), True, "consent-partial"),
        ("unclear", (), True, "consent-unclear"),
        ("permit", (ON_PAPER,), True, "consent-other-act"),
        ("end", (ON_PAPER,), True, "consent-other-act"),
        ("none", (MADE_BY_C1,), True, "consent-in-force"),
        ("lapsed", (MADE_BY_C1,), True, "consent-in-force"),
        ("deleted", (MADE_BY_C1,), True, "consent-in-force"),
        ("deleted", (), True, None),
        ("end", (), True, None),
        ("permit", (act(PERSON, ended="2026-02-01T00:00:00+00:00"),), True, None),
        ("permit", (act(PERSON, finess="*"),), True, None),  # the platform's act is not this hospital's to end
    ],
)
def test_only_the_consent_that_made_an_opposition_ends_it_and_only_with_the_scope(
    reading: Reading, known: Iterable[Act], may_act: bool, code: str | None
) -> None:
    judged = judge([told(reading)], acts_of(map(entry_of, known)), finess=FINESS, may_act=may_act)

    assert [one.code for one in judged.refused.values()] == ([code] if code else [])
    assert judged.begun == judged.ended == []


def test_what_a_consent_says_is_done() -> None:
    nobody = acts_of([])
    own = acts_of([entry_of(MADE_BY_C1)])

    begun = judge([told("oppose")], nobody, finess=FINESS, may_act=True)
    again = judge([told("oppose")], own, finess=FINESS, may_act=True)
    ended = [judge([told(one)], own, finess=FINESS, may_act=True) for one in ("end", "permit")]
    lapsed = judge([told("lapsed")], nobody, finess=FINESS, may_act=True)

    assert [len(one.begun) for one in (begun, again)] == [1, 1]
    assert [[found.id for _, found in one.ended] for one in ended] == [["act"], ["act"]]
    assert [one.code for one in lapsed.said.values()] == ["consent-lapsed"]


def test_two_consents_of_one_request_that_contradict_each_other_are_refused() -> None:
    denial, permission = told("oppose"), told("permit", number="c2", index=1)

    judged = judge([denial, permission], acts_of([]), finess=FINESS, may_act=True)
    other = judge([denial, told("permit", number="c2", person=("person", FINESS, "p2"), index=1)], acts_of([]),
                  finess=FINESS, may_act=True)  # fmt: skip
    replaced = judge(
        [told("end"), told("oppose", number="c2", index=1)],
        acts_of([entry_of(MADE_BY_C1)]),
        finess=FINESS,
        may_act=True,
    )

    assert {index: one.code for index, one in judged.refused.items()} == {1: "consent-other-act"}
    assert other.refused == replaced.refused == {}
    assert (len(replaced.ended), len(replaced.begun)) == (1, 1)


def test_who_is_not_named_cannot_object_and_nothing_identifying_shows() -> None:
    nameless = Told(0, "Consent", "oppose", frozenset({("consent", FINESS, "consent-secret")}))
    named = judge(
        [told("oppose", person=("person", FINESS, "person-secret"))], acts_of([]), finess=FINESS, may_act=True
    )

    judged = judge([nameless], acts_of([]), finess=FINESS, may_act=True)

    assert [one.code for one in judged.refused.values()] == ["person-ambiguous"]
    assert len(named.begun) == 1
    assert "secret" not in f"{nameless!r}{named!r}{judged!r}"
