"""The version guard: the current version is a function of what was received, never of its order (DESIGN §6)."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.versions import History, Version, delete, receive

Step = Version | int


def version(
    name: str, *, updated: int | None = None, received: int = 1, number: int = -1, bundle: int | None = None
) -> Version:
    stamp = updated if updated is not None else bundle if bundle is not None else received
    return Version(updated is not None, stamp, number, received, f"event-{name}", 0, name.encode())


def after(*steps: Step) -> str | None:
    """Return the current version's name once all steps came; an integer is a DELETE received then."""
    history = History()
    for step in steps:
        history = delete(history, step) if isinstance(step, int) else receive(history, step)
    return history.current.body.decode() if history.current else None


@pytest.mark.parametrize(
    ("steps", "current"),
    [
        ([version("a", received=1), version("b", received=2)], "b"),
        ([version("a", updated=9, received=1), version("b", updated=8, received=2)], "a"),
        ([version("stamped", updated=1, received=1), version("plain", received=99)], "stamped"),
        ([version("a", received=1, bundle=50), version("b", received=2, bundle=40)], "a"),
        ([version("v2", updated=5, number=2), version("v10", updated=5, number=10, received=0)], "v10"),
        ([version("a", updated=5, received=1), version("b", updated=5, received=2)], "b"),
        ([version("a", updated=5), version("b", updated=5)], "b"),
    ],
    ids=["received", "last-updated", "stamped-first", "bundle-timestamp", "integer-version", "tie-received", "tie-id"],
)
def test_the_newer_version_wins(steps: list[Step], current: str) -> None:
    assert {after(*order) for order in permutations(steps)} == {current}


@pytest.mark.parametrize(
    ("steps", "current"),
    [
        ([version("a", received=1), 2], None),
        ([version("stamped", updated=100, received=1), 2], None),
        ([version("a", received=1), 2, version("again", received=3)], "again"),
        ([version("a", updated=5, received=1), 2, version("older", updated=4, received=3)], None),
        ([version("a", updated=5, received=1), 2, version("same", updated=5, received=3)], None),
        ([version("a", updated=5, received=1), 2, version("newer", updated=6, received=3)], "newer"),
        ([version("a", updated=5, received=1), 2, version("plain", received=3)], "plain"),
        ([version("late", received=1), 2, 4, version("between", received=3)], None),
        ([version("high", received=1, bundle=50), version("low", received=3, bundle=10), 2], "low"),
        ([version("stamped", updated=9, received=1), version("plain", received=3), 2], "plain"),
    ],
    ids=[
        "removed", "stamped-too", "received-later", "not-newer", "same-stamp", "newer-stamp", "unstamped-later",
        "two-deletions", "lower-rank-survives", "unstamped-survives",
    ],
)  # fmt: skip
def test_a_deletion_removes_what_came_before_it_in_any_order(steps: list[Step], current: str | None) -> None:
    assert {after(*order) for order in permutations(steps)} == {current}


numbers = st.integers(0, 6)
versions = st.builds(
    lambda updated, received, number, bundle, name: version(
        name, updated=updated, received=received, number=number, bundle=bundle
    ),
    st.none() | numbers,
    numbers,
    st.integers(-1, 2),
    st.none() | numbers,
    st.sampled_from("abcdef"),
)


@settings(deadline=None)
@given(
    st.lists(versions | numbers, max_size=7, unique_by=lambda step: getattr(step, "rank", step)),
    st.randoms(use_true_random=False),
)
def test_any_order_and_any_repetition_give_the_same_current_version(steps: list[Step], random: object) -> None:
    shuffled = [*steps, *steps[::2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    expected = judged_together(steps)

    assert after(*steps) == expected
    assert after(*shuffled) == expected


def judged_together(steps: list[Step]) -> str | None:
    """The rule as DESIGN §6 words it, over everything at once."""
    last = max((step for step in steps if isinstance(step, int)), default=-1)
    received = [step for step in steps if isinstance(step, Version)]
    removed = [one for one in received if one.received <= last]
    highest = max((one.stamp for one in removed if one.stamped), default=-1)
    alive = [one for one in received if one.received > last and not (one.stamped and one.stamp <= highest)]
    return max(alive, key=lambda one: (one.rank, one.body)).body.decode() if alive else None
