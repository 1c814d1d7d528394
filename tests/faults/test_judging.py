"""The judge of the campaign sees what it is there for: each broken promise and each missed bound, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.judging import broken_promises, missed_bounds

ACCOUNTS = {"events": 10, "applied": 8, "duplicates": 2, "dead_letters": 0, "lag": 0}
FAULT = {
    "fault": "kill-broker", "outage_s": 3.0, "ready_until_s": 2.0, "ready_again_s": 1.0, "first_success_s": 1.0,
    "caught_up_s": 5.0, "stops": {"codes": [0], "slowest_s": 3.0},
}  # fmt: skip
LINE: dict[str, Any] = {
    "accounts": ACCOUNTS, "same_tables": True, "receipts_not_in_log": 0, "statuses": {"200": 9, "503": 1, "422": 1},
    "without_retry_after": 0, "misjudged": 0, "left": 0, "slowest_s": 3.0, "faults": [FAULT],
}  # fmt: skip


def test_a_good_run_breaks_and_misses_nothing() -> None:
    assert (broken_promises(LINE), missed_bounds(LINE)) == ([], [])


@pytest.mark.parametrize(
    ("change", "promise"),
    [
        ({"same_tables": False}, "P1 P3 P6"),
        ({"receipts_not_in_log": 1}, "P1"),
        ({"statuses": {"500": 1}}, "P2"),
        ({"without_retry_after": 1}, "P2"),
        ({"misjudged": 1}, "P7"),
        ({"left": 1}, "P9"),
        ({"accounts": {**ACCOUNTS, "lag": 1}}, "P9"),
        ({"accounts": {**ACCOUNTS, "applied": 7, "dead_letters": 1}}, "P10"),
        ({"accounts": {**ACCOUNTS, "events": 11}}, "accounts"),
        ({"faults": [{**FAULT, "stops": {"codes": [0, 1], "slowest_s": 3.0}}]}, "P11"),
    ],
)
def test_each_broken_promise_is_seen(change: dict[str, Any], promise: str) -> None:
    [found] = broken_promises({**LINE, **change})

    assert found.startswith(promise)


@pytest.mark.parametrize(
    ("change", "promise"),
    [
        ({"first_success_s": 10.1}, "P9: first"),
        ({"caught_up_s": 10.1}, "P9: catching up"),
        ({"ready_until_s": 5.1}, "P12: ready"),
        ({"ready_again_s": 5.1}, "P12: not ready"),
        ({"stops": {"codes": [0], "slowest_s": 10.1}}, "P11"),
    ],
)
def test_each_missed_bound_is_seen(change: dict[str, Any], promise: str) -> None:
    [found] = missed_bounds({**LINE, "faults": [{**FAULT, **change}]})

    assert found.startswith(promise)


def test_an_answer_that_comes_too_late_is_seen() -> None:
    assert missed_bounds({**LINE, "slowest_s": 11.1}) == ["P2: an answer after 11 s"]


def test_a_long_outage_may_take_as_long_to_catch_up() -> None:
    assert missed_bounds({**LINE, "faults": [{**FAULT, "outage_s": 60.0, "caught_up_s": 59.0}]}) == []
