"""Any order, split and repetition of what a hospital sends gives the same rows (DESIGN §6, promise P5)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.synthetic.bundles import correction_bundle, stay_bundle
from gateway.synthetic.plan import SCHEDULE, plan_stay
from gateway.synthetic.rare import rare_case
from tests.support.made_events import Pseudonyms
from tests.support.synthetic_hospital import HOSPITAL, Gathered, full_contract, loaded_reference
from transformers.snds.person import person_rows
from transformers.snds.view import PersonRows, PersonView

CONTRACT, REFERENCE = full_contract(), loaded_reference()
KINDS = [kind for kind in dict.fromkeys(SCHEDULE) if kind not in ("seldom", "posted", "newborn")]
RARE = ["dispenses", "expensive-drug", "fees", "grouped", "intensive", "reported", "unit-claims"]
TOGETHER = ("Patient", "Encounter", "Coverage")


def converted(view: PersonView) -> PersonRows:
    return person_rows(
        view,
        contract=CONTRACT,
        pseudonyms=Pseudonyms(),
        numbers=lambda stay, year: f"{sum(stay.encode()) * 100 + year % 100:010d}",
        reference=REFERENCE,
    )


def content(rows: PersonRows) -> Any:
    """Everything but the order of rows inside a table, which a view sorted by key gives."""
    return rows.stays, rows.exits, rows.counts, {name: sorted(table, key=repr) for name, table in rows.tables.items()}


def sent(kind: str) -> list[dict[str, Any]]:
    """The bundles of one stay of a kind, in the order of their versions."""
    if kind in RARE:
        return list(rare_case(3, HOSPITAL, kind).bundles)
    stay = plan_stay(3, SCHEDULE.index(kind))
    first = stay_bundle(3, HOSPITAL, stay)
    return [first, correction_bundle(3, HOSPITAL, stay)] if kind == "corrected" else [first]


def rows_of(bundles: list[dict[str, Any]]) -> list[PersonRows]:
    gathered = Gathered()
    for bundle in bundles:
        gathered.add(bundle, CONTRACT)
    return [converted(view) for view in gathered.views()]


def shuffled(view: PersonView, order: random.Random) -> PersonView:
    resources, structures = list(view.resources), list(view.structures.items())
    order.shuffle(resources)
    order.shuffle(structures)
    return PersonView(view.finess, view.aliases, tuple(resources), dict(structures))


def pieces(bundle: dict[str, Any], order: random.Random) -> list[dict[str, Any]]:
    """The entries of a bundle over several ones: those that facts are made of stay together, the rest is spread."""
    core = [one for one in bundle["entry"] if one["resource"]["resourceType"] in TOGETHER]
    rest = [one for one in bundle["entry"] if one not in core]
    number = order.randint(1, 5)
    spread: list[list[dict[str, Any]]] = [[] for _ in range(number)]
    for one in rest:
        spread[order.randrange(number)].append(one)
    patient = [one for one in core if one["resource"]["resourceType"] == "Patient"]
    parts = [core, *(patient + part for part in spread)]
    return [bundle | {"id": f"{bundle['id']}-{number}", "entry": part} for number, part in enumerate(parts)]


@pytest.mark.parametrize("kind", [*KINDS, *RARE])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(order=st.randoms(use_true_random=False))
def test_the_order_of_resources_changes_no_row(kind: str, order: random.Random) -> None:
    gathered = Gathered()
    for bundle in sent(kind):
        gathered.add(bundle, CONTRACT)

    for view in gathered.views():
        assert content(converted(shuffled(view, order))) == content(converted(view))


@pytest.mark.parametrize(
    "kind", ["multi-unit", "claim", "emergency", "corrected", "mother", "transfer", "child", *RARE]
)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(order=st.randoms(use_true_random=False))
def test_any_split_order_and_repetition_gives_the_same_rows(kind: str, order: random.Random) -> None:
    whole = sent(kind)
    parts = [part for bundle in whole for part in pieces(bundle, order)]
    parts += order.sample(parts, len(parts) // 2)
    order.shuffle(parts)

    assert rows_of(parts) == rows_of(whole)
