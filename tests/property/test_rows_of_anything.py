"""A person whose resources lack anything that FHIR lets them lack is still converted, never a failure (P5)."""

from __future__ import annotations

import copy
import random
from functools import cache
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.made_events import Pseudonyms
from tests.support.synthetic_hospital import contract, hospital
from transformers.snds.person import person_rows
from transformers.snds.schema import TABLES
from transformers.snds.view import PersonView, Staged

CONTRACT = contract(dp_rule="longest-unit", potential_identifiers=frozenset({"commune", "care-dates"}))
KEPT = ("identifier", "resourceType", "coding", "system", "value")


@cache
def persons() -> list[PersonView]:
    return hospital(8, 40)[1]


def without(node: Any, order: random.Random, share: float) -> Any:
    """The same JSON without a share of its elements; identifiers stay, as every event has them."""
    if isinstance(node, dict):
        kept = {name: one for name, one in node.items() if name in KEPT or order.random() > share}
        return {name: one if name == "identifier" else without(one, order, share) for name, one in kept.items()}
    if isinstance(node, list):
        return [without(one, order, share) for one in node if order.random() > share / 2]
    return node


def damaged(view: PersonView, order: random.Random, share: float) -> PersonView:
    def one(staged: Staged) -> Staged:
        return Staged(staged.key, staged.type, without(copy.deepcopy(staged.resource), order, share), staged.flags)

    return PersonView(
        view.finess, view.aliases, tuple(map(one, view.resources)), {k: one(s) for k, s in view.structures.items()}
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    number=st.integers(0, 30), share=st.sampled_from((0.01, 0.05, 0.2, 0.5)), order=st.randoms(use_true_random=False)
)
def test_resources_without_some_elements_are_converted(number: int, share: float, order: random.Random) -> None:
    views = persons()
    view = damaged(views[number % len(views)], order, share)

    rows = person_rows(
        view, contract=CONTRACT, pseudonyms=Pseudonyms(), numbers=lambda stay, _: f"{sum(stay.encode()):010d}"
    )

    for name, table in rows.tables.items():
        columns = TABLES[name if name in TABLES else name[:5] + "aa" + name[7:]].columns
        for row in table:
            assert len(row) == len(columns)
            assert all(value is not None or column.nullable for value, column in zip(row, columns, strict=True)), name
