"""No published cell stands for 1 to 10 stays or persons, nor can it be told by subtraction."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.aggregates import MINIMUM, Cell, Share, Tally, aggregate, count, publishable, share
from streaming.dimensions import DIMENSIONS
from tests.support.small_lake import publish, reading, stay, stays


def shown(tallies: dict[tuple[str, ...], Tally], *, totals: bool = True) -> dict[tuple[str, ...], int | None]:
    return {cell.group: cell.stays for cell in publishable(tallies, totals=totals)}


def test_cells_under_eleven_are_masked_and_eleven_is_not() -> None:
    cells = shown({("a",): Tally(10), ("b",): Tally(11), ("c",): Tally(0), ("d",): Tally(1)}, totals=False)

    assert cells == {("a",): None, ("b",): 11, ("c",): 0, ("d",): None}


def test_many_stays_of_few_persons_are_masked() -> None:
    assert publishable({("a",): Tally(200, 3)}, totals=False) == (Cell(("a",), None, None),)


def test_one_masked_cell_takes_the_smallest_other_with_it() -> None:
    assert shown({("a",): Tally(5), ("b",): Tally(40), ("c",): Tally(30)}) == {("a",): None, ("b",): 40, ("c",): None}


def test_two_masked_cells_that_hide_enough_stand_alone() -> None:
    assert shown({("a",): Tally(5), ("b",): Tally(6), ("c",): Tally(30)}) == {("a",): None, ("b",): None, ("c",): 30}


def test_two_masked_cells_that_hide_too_little_take_another() -> None:
    assert shown({("a",): Tally(1), ("b",): Tally(2), ("c",): Tally(30)})[("c",)] is None


GROUPS = st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"))


@given(st.dictionaries(GROUPS, st.integers(0, 60).map(Tally), min_size=1))
def test_no_line_of_any_direction_gives_a_masked_cell_away(tallies: dict[tuple[str, ...], Tally]) -> None:
    cells = shown(tallies)

    assert all(value is None or value == 0 or value >= MINIMUM for value in cells.values())
    for place in (0, 1):
        hidden = defaultdict(list)
        every = defaultdict(list)
        for group, value in cells.items():
            line = group[:place] + group[place + 1 :]
            every[line].append(value)
            if value is None:
                hidden[line].append(tallies[group].stays)
        for line, sizes in hidden.items():
            nothing_left = all(value in (None, 0) for value in every[line])
            assert nothing_left or (len(sizes) > 1 and sum(sizes) >= MINIMUM)


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (0, 40, Share(0, 40, 0.0)),
        (20, 40, Share(20, 40, 0.5)),
        (5, 40, Share(None, 40, None)),
        (35, 40, Share(None, 40, None)),
        (40, 40, Share(40, 40, 1.0)),
        (3, 7, Share(None, None, None)),
        (0, 0, Share(0, 0, None)),
    ],
)
def test_a_share_is_masked_when_the_part_or_the_rest_is_small(part: int, whole: int, expected: Share) -> None:
    assert share(part, whole) == expected


def test_a_single_count_is_masked() -> None:
    assert [count(number) for number in (0, 1, 10, 11)] == [0, None, None, 11]


def test_counts_of_the_lake_are_stays_and_persons(tmp_path: Path) -> None:
    men = [stay(n, person=f"M{n % 12:016d}") for n in range(30)]
    women = [stay(100 + n, COD_SEX="2", person=f"W{n % 4:016d}") for n in range(20)]
    nobody = [stay(200 + n, COD_SEX="3", person="x" * 17) for n in range(15)]
    publish(tmp_path, stays(*men, *women, *nobody))

    with reading(tmp_path) as connection:
        by_sex = aggregate(connection, ["sex"])
        everything = aggregate(connection, [])
        wrong_year = aggregate(connection, ["sex"], years=[2019])

    # four women are masked, and the fifteen unknown with them: else the total would tell the four
    assert by_sex == (Cell(("1",), 30, 12), Cell(("2",), None, None), Cell(("3",), None, None))
    assert everything == (Cell((), 65, 31),)
    assert wrong_year == ()


def test_every_listed_dimension_is_a_question_that_the_lake_answers(tmp_path: Path) -> None:
    publish(tmp_path, stays(*(stay(n) for n in range(20))))

    with reading(tmp_path) as connection:
        answers = {name: aggregate(connection, [name, "sex"]) for name in DIMENSIONS if name != "sex"}
        with pytest.raises(KeyError):
            aggregate(connection, ["NIR_ANO_17"])

    assert answers["diagnosis"] == (Cell(("I21", "1"), 20, 20),)
    assert answers["age"] == (Cell(("40-49", "1"), 20, 20),)
    assert answers["act"] == ()
