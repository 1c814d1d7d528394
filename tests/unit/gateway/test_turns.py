"""Long work is done one at a time, hospitals in turn, and one who gives up holds nobody back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from itertools import accumulate

import pytest

from gateway.turns import PATIENCE_S, SWITCH_S, Turns, giving_way, quiet


async def test_hospitals_take_turns_whoever_came_first() -> None:
    turns, done = Turns(), []
    gate = asyncio.Event()

    async def work(finess: str, number: int) -> None:
        async with turns.turn(finess):
            await gate.wait()
            done.append((finess, number))

    flood = [asyncio.create_task(work("A", number)) for number in range(5)]
    await asyncio.sleep(0)
    others = [asyncio.create_task(work(finess, 0)) for finess in ("B", "C")]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*flood, *others)

    assert done == [("A", 0), ("A", 1), ("B", 0), ("C", 0), ("A", 2), ("A", 3), ("A", 4)]


async def test_never_two_at_once() -> None:
    turns, inside, most = Turns(), 0, 0

    async def work(finess: str) -> None:
        nonlocal inside, most
        async with turns.turn(finess):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(work(finess) for finess in "ABCABCAAABBC"))

    assert most == 1


async def test_one_who_gives_up_passes_the_turn_on() -> None:
    turns = Turns()
    entered = []

    async def work(name: str) -> None:
        async with turns.turn(name):
            entered.append(name)

    async with turns.turn("first"):
        tasks = [asyncio.create_task(work(name)) for name in ("gone", "stays")]
        await asyncio.sleep(0)
        tasks[0].cancel()
    await asyncio.wait(tasks)
    async with asyncio.timeout(60), turns.turn("last"):
        entered.append("last")

    assert entered == ["stays", "last"]


async def test_one_cancelled_at_the_moment_of_its_turn_passes_it_on() -> None:
    turns = Turns()
    entered = []

    async def work(name: str) -> None:
        async with turns.turn(name):
            entered.append(name)

    async with turns.turn("first"):
        tasks = [asyncio.create_task(work(name)) for name in ("gone", "stays")]
        await asyncio.sleep(0)
    tasks[0].cancel()  # its turn was given when the block ended, and it has not run since
    await asyncio.wait(tasks)
    async with asyncio.timeout(60), turns.turn("last"):
        entered.append("last")

    assert entered == ["stays", "last"]


@pytest.mark.parametrize(
    ("rounds", "waited"),
    [([0.0001], 1), ([0.01, 0.01, 0.0001], 3), ([0.01] * 100, round(PATIENCE_S / 0.01))],
    ids=["at once when nobody waits", "after a crowd", "in the end, however long the crowd"],
)
async def test_long_work_begins_when_the_loop_has_no_crowd(rounds: list[float], waited: int) -> None:
    looked: Iterator[float] = accumulate([0.0, *rounds])
    seen: list[float] = []

    def clock() -> float:
        seen.append(next(looked))
        return seen[-1]

    await quiet(clock=clock)

    assert len(seen) - 1 == waited


def test_threads_change_often_only_while_long_work_is_done() -> None:
    usual = sys.getswitchinterval()

    with giving_way():
        inside = sys.getswitchinterval()

    assert inside == pytest.approx(SWITCH_S)
    assert sys.getswitchinterval() == usual
