"""Any order, duplication, split or pace of the same events gives the same tables. Promise: P5."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streaming.digest import digest
from streaming.event import Event
from streaming.table_writer import Pace
from tests.support.made_events import (
    OTHER,
    condition,
    deleted,
    encounter,
    event,
    log_of,
    patient,
    reference,
    resource,
    written,
)

HERE = {"location": [{"location": reference("Location", "resource", "loc")}]}
BEFORE = {"period": {"end": "2023-11-05T11:00:00+01:00"}}

STORY = [
    event(patient("pat-1", "rest-1", "ipp-1"), encounter("enc-1", "v1", "vn-1", nights=4, **HERE), at=0),
    event(condition("c1", "I10", stay="v1"), condition("c2", "E11", stay="v1", updated=-9), at=1),
    event(condition("c3", "D50", person="ipp-1", stay="vn-1"), at=2),
    event(encounter("enc-1", "v1", "vn-1", nights=2, updated=-60, **HERE), at=3),
    event(encounter("enc-1", "v1", "vn-1", nights=3, updated=-30, **HERE, **BEFORE), at=4),
    event(resource("Location", "loc", name="U1"), at=5),
    event(resource("Location", "loc", name="U2"), at=6, timestamp=-100),
    event(deleted("c2"), at=7),
    event(condition("c2", "E12", stay="v1", updated=7.5), at=8),
    event(patient("pat-2", "rest-2", "ipp-1"), encounter("enc-2", "v2", person="rest-2"), at=9),
    event(patient("pat-2", "rest-2", "ipp-2"), at=10),
    event(condition("c4", "J80", person=None, stay="v2"), at=11),
    event(patient("pat-1", "rest-1"), encounter("enc-1", "v1"), finess=OTHER, at=12),
    event(deleted("c4"), at=13),
]


def tables(folder: Path, events: list[Event], pace: Pace) -> str:
    writer = written(folder, log_of(events), pace=pace)
    try:
        return digest(writer.sink)
    finally:
        writer.close()


def expected() -> str:
    with tempfile.TemporaryDirectory() as folder:
        return tables(Path(folder), STORY, Pace())


EXPECTED: list[str] = []
EXAMPLES = int(os.environ.get("PERMUTATIONS", "25"))  # 500 in the long form: tests/faults/permutations.py


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    order=st.permutations(range(len(STORY))),
    repeated=st.lists(st.integers(0, len(STORY) - 1), max_size=5),
    pace=st.sampled_from([Pace(), Pace(1, 1, 0.0), Pace(3, 2, 0.0), Pace(5, 1, 9.0)]),
)
def test_permutations_and_repetitions_converge(order: list[int], repeated: list[int], pace: Pace) -> None:
    if not EXPECTED:
        EXPECTED.append(expected())
    events = [STORY[place] for place in [*order, *repeated]]

    with tempfile.TemporaryDirectory() as folder:
        assert tables(Path(folder), events, pace) == EXPECTED[0]


def test_splitting_a_bundle_changes_nothing(tmp_path: Path) -> None:
    resources: list[Any] = [patient(), encounter(nights=4), condition("c1", "I10"), condition("c2", "E11")]
    whole = [event(*resources)]
    split = [event(one) for one in reversed(resources)]

    assert tables(tmp_path / "whole", whole, Pace()) == tables(tmp_path / "split", split, Pace(1, 1, 0.0))


def test_the_story_is_not_trivial(tmp_path: Path) -> None:
    lines = tables(tmp_path, STORY, Pace()).splitlines()

    assert [line.rsplit(" ", 1)[0] for line in lines] == [
        "T_MCO23B 1", "T_MCO23D 3", "T_MCO23E 1", "T_MCO24B 2", "T_MCO24E 2",
    ]  # fmt: skip


@pytest.mark.parametrize("pace", [Pace(), Pace(3, 9, 0.0)])
def test_rounds_that_are_full_leave_new_persons_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pace: Pace
) -> None:
    whole = tables(tmp_path / "whole", STORY, Pace())
    monkeypatch.setattr("streaming.conversion.MOST_ROWS", 0)
    monkeypatch.setattr("streaming.persons.AT_ONCE", 1)

    assert tables(tmp_path / "full", STORY, pace) == whole
