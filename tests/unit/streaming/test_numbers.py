"""RSA_NUM: unique in a hospital and year, kept, and a function of the set of stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streaming.numbers import Numbers
from streaming.state import State


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    state = State(tmp_path / "ops.sqlite")
    yield state.connection
    state.close()


def crowded(stay: str) -> str:
    """Start few keys from few places, near the end of the range."""
    return f"{9_999_999_995 + len(stay) % 3:010d}"


def test_a_number_is_kept(connection: sqlite3.Connection) -> None:
    numbers = Numbers(connection, "750712184", start=lambda _: "0000000007")

    assert [numbers("a", 2024), numbers("b", 2024), numbers("a", 2024)] == ["0000000007", "0000000008", "0000000007"]


def test_years_and_hospitals_count_apart(connection: sqlite3.Connection) -> None:
    one = Numbers(connection, "750712184", start=lambda _: "0000000007")
    other = Numbers(connection, "690781810", start=lambda _: "0000000007")

    assert {one("a", 2023), one("b", 2024), other("c", 2024)} == {"0000000007"}


def test_a_smaller_key_takes_the_place_and_the_displaced_one_is_named(connection: sqlite3.Connection) -> None:
    numbers = Numbers(connection, "750712184", start=lambda _: "0000000007")
    numbers("b", 2024)

    assert numbers("a", 2024) == "0000000007"
    assert numbers.displaced == {"b"}
    assert numbers("b", 2024) == "0000000008"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.lists(st.text("abc", min_size=1, max_size=4), unique=True, max_size=12), st.randoms(use_true_random=False))
def test_the_layout_does_not_depend_on_the_order(
    connection: sqlite3.Connection, stays: list[str], random: object
) -> None:
    shuffled = list(stays)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    layouts = []
    for order in (stays, shuffled):
        connection.execute("DELETE FROM rsa_number")
        numbers = Numbers(connection, "750712184", start=crowded)
        for stay in order:
            numbers(stay, 2024)
            if len(stay) == 1:
                numbers.save()
        numbers.save()
        layouts.append(sorted(connection.execute("SELECT rsa_num, stay FROM rsa_number").fetchall()))

    assert layouts[0] == layouts[1]
    assert len(layouts[0]) == len(stays)


def test_numbers_are_kept_from_one_round_to_the_next(connection: sqlite3.Connection) -> None:
    first = Numbers(connection, "750712184", start=lambda _: "0000000007")
    first.expect(["b", "c"])
    given = [first("b", 2024), first("c", 2024)]
    first.save()
    then = Numbers(connection, "750712184", start=lambda _: "0000000007")
    then.expect(["a", "c"])
    taken = then("a", 2024)
    then.save()

    assert given == ["0000000007", "0000000008"]
    assert (taken, then("c", 2024), then.displaced) == ("0000000007", "0000000009", {"b", "c"})
    assert connection.execute("SELECT rsa_num, stay FROM rsa_number ORDER BY 1").fetchall() == [
        ("0000000007", "a"), ("0000000008", "b"), ("0000000009", "c"),
    ]  # fmt: skip
