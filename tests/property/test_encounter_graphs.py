"""Encounters of any class, status, period and `partOf`, with any diagnoses: what is written adds up, in any order."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.deidentified import (
    CONTRACT,
    Json,
    condition,
    encounter,
    identified,
    known_adult,
    ours,
    procedure,
    rum,
    table,
    view,
)
from tests.support.deidentified import diagnosis as claimed
from tests.support.made_events import Pseudonyms
from transformers.snds.person import person_rows
from transformers.snds.view import PersonRows, PersonView, Staged
from transformers.snds.visits import find_visits

LONGEST = replace(CONTRACT, dp_rule="longest-unit")
KEYS = tuple("abcdef")
DAYS = st.integers(1, 28)
CLASSES = st.sampled_from(["IMP", "IMP", "IMP", "EMER", "AMB", "HH"])
STATUSES = st.sampled_from(["finished", "finished", "finished", "in-progress", "planned", "cancelled"])


@st.composite
def encounters(draw: st.DrawFn) -> list[Staged]:
    """Up to six Encounters; some are part of another, known or not, some share a visit number."""
    made = []
    for key in KEYS[: draw(st.integers(1, len(KEYS)))]:
        start, nights = draw(DAYS), draw(st.integers(-1, 12))
        hour, later = draw(st.integers(0, 23)), draw(st.integers(0, 23))
        end = f"2024-{1 + (start + nights) // 29:02d}-{max((start + nights) % 29, 1):02d}T{later:02d}:00:00+01:00"
        more: Json = {"status": draw(STATUSES)}
        above = draw(st.sampled_from((None, None, *KEYS, "unknown")))
        if above is not None and above != key:
            more["partOf"] = {"type": "Encounter", "identifier": identified("stay", f"{above}-id")} | {
                "extension": [ours("resource", "String", above)]
            }
        visit = draw(st.sampled_from((None, None, "nda-1", "nda-2")))
        made.append(
            encounter(
                key, f"2024-01-{start:02d}T{hour:02d}:00:00+01:00", end, kind=draw(CLASSES), **more,
                **({"visit": visit} if visit else {}),
            )
        )  # fmt: skip
    return made


@st.composite
def coded(draw: st.DrawFn) -> list[Staged]:
    """Conditions, Procedures and Claims of units, on any of the Encounters."""
    made = []
    for number in range(draw(st.integers(0, 10))):
        stay, role = draw(st.sampled_from(KEYS)), draw(st.sampled_from(("DP", "DP", "DA", "DR", "DAD", None)))
        code = draw(st.sampled_from(("I10", "I21.9", "Z51.1", "E11", "K25", "not a code")))
        made.append(condition(code, role, stay=stay, key=f"c{number}"))
    for number in range(draw(st.integers(0, 5))):
        day, code = draw(DAYS), draw(st.sampled_from(("DEQP003", "DDAF007", "DDAF007···04·", "29303009")))
        made.append(procedure(code, f"2024-01-{day:02d}", stay=draw(st.sampled_from(KEYS)), key=f"p{number}"))
    for rank in range(draw(st.integers(0, 3))):
        start = draw(DAYS)
        made.append(rum(rank + 1, f"2024-01-{start:02d}", f"2024-01-{start:02d}", claimed(1, "DP", "J189")))
    return made


def converted(seen: PersonView) -> PersonRows:
    return person_rows(seen, contract=LONGEST, pseudonyms=Pseudonyms(), numbers=lambda stay, _: f"{ord(stay):010d}")


def by_stay(rows: list[Json]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for row in rows:
        found.setdefault(row["RSA_NUM"], []).append(row)
    return found


@settings(max_examples=300, deadline=None)
@given(sent=encounters(), more=coded())
def test_what_is_written_adds_up(sent: list[Staged], more: list[Staged]) -> None:
    rows = converted(view(*known_adult(*sent, *more)))

    stays = table(rows, "T_MCOaaB")
    units, diagnoses, acts = (by_stay(table(rows, name)) for name in ("T_MCOaaUM", "T_MCOaaD", "T_MCOaaA"))
    assert len(stays) == sum(one.status == "written" for one in rows.stays) == len(rows.exits)
    for name in ("T_MCOaaC", "T_EDSaaSEJ"):
        assert Counter(row["RSA_NUM"] for row in table(rows, name)) == Counter(row["RSA_NUM"] for row in stays)
    for row in stays:
        own = units[row["RSA_NUM"]]
        assert row["NBR_RUM"] == len(own)
        assert row["NBR_DGN"] == len(diagnoses.get(row["RSA_NUM"], [])) == sum(one["DGN_ASS_NBR"] for one in own)
        assert row["NBR_ACT"] == len(acts.get(row["RSA_NUM"], [])) == sum(one["ACT_RUM_NBR"] for one in own)
        assert own[int(row["SEQ_RUM"]) - 1]["DGN_PAL"] == row["DGN_PAL"]
        assert all(one["PAR_DUR_SEJ"] is None or one["PAR_DUR_SEJ"] >= 0 for one in own)
        if not row["NBR_SEA"]:
            assert row["SEJ_NBJ"] == sum(one["PAR_DUR_SEJ"] for one in own)


@settings(max_examples=150, deadline=None)
@given(sent=encounters(), more=coded(), order=st.randoms(use_true_random=False))
def test_the_order_of_resources_changes_nothing(sent: list[Staged], more: list[Staged], order: random.Random) -> None:
    seen = view(*known_adult(*sent, *more))
    mixed = list(seen.resources)
    order.shuffle(mixed)

    first, second = converted(seen), converted(replace(seen, resources=tuple(mixed)))
    assert first.stays == second.stays
    assert content(first) == content(second)


def content(rows: PersonRows) -> dict[str, list[Any]]:
    return {name: sorted(some, key=repr) for name, some in rows.tables.items()}


@settings(max_examples=200, deadline=None)
@given(sent=encounters())
def test_every_current_encounter_is_in_exactly_one_visit(sent: list[Staged]) -> None:
    found = find_visits(sent)

    held = [one.key for visit in found.visits for one in (*visit.members, *visit.emergencies)]
    parts = set(found.by_key) - set(held)
    assert len(held) == len(set(held))
    removed = {one.key for one in sent if one.resource["status"] == "cancelled"}
    assert removed.isdisjoint({*held, *parts})
    gone = {one.key for one in sent} - {*held, *parts} - removed
    assert all("partOf" in one.resource for one in sent if one.key in gone)
