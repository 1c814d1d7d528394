"""Dead letters → applied after all, once the fault is mended: exactly the missing rows come (promise P10).

Beside the running writer: staged in the same way, under the same locks; the writer then writes the marked persons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from streaming import dead_letter
from streaming.batches import read_record
from streaming.conversion import Rules, convertible
from streaming.dead_letter import DeadLetter
from streaming.resources import stage
from streaming.staging import Delivery
from streaming.state import State

BATCH = 200
SEEN = "INSERT INTO seen (event_id) VALUES (?) ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many were applied, and how many are still dead letters, with the code of today."""

    applied: int
    kept: int


def replay(state: State, *, rules: Rules, code: str | None = None, key: str | None = None) -> Replayed:
    """Apply the dead letters of a code or an event key (all by default) that can be applied now."""
    applied = kept = 0
    after = (-1, -1)
    while batch := dead_letter.letters(state.connection, code=code, key=key, after=after, most=BATCH):
        last = batch[-1].record
        after = (last.partition, last.offset)
        done = _replay(state, batch, rules)
        applied += done
        kept += len(batch) - done
    return Replayed(applied, kept)


def _replay(state: State, letters: Sequence[DeadLetter], rules: Rules) -> int:
    readable = [(letter, outcome) for letter in letters if isinstance(outcome := _read(letter, rules), Delivery)]
    hospitals = {delivery.finess for _, delivery in readable}
    with _tried(state):
        state.lock(hospitals)
        good = [(letter, delivery) for letter, delivery in readable if _converts(state, letter, delivery, rules)]
    with state.transaction() as connection:
        state.lock(hospitals)
        staged = stage(connection, [(delivery, False) for _, delivery in good])
        marked = {(d.finess, e.version.person) for _, d in good for e in d.entries if e.version and e.version.person}
        state.mark_dirty(staged.dirty | marked)
        connection.executemany(SEEN, [(delivery.event_id,) for _, delivery in good])
        for letter, _ in good:
            dead_letter.forget(connection, letter)
        state.count({"applied": len(good), "dead_letters": -len(good), "superseded": staged.superseded})
    return len(good)


@contextmanager
def _tried(state: State) -> Iterator[None]:
    """Run a block in a transaction of which nothing is kept (numbers of stays that a conversion takes)."""
    with suppress(_Undone), state.transaction():
        yield
        raise _Undone


class _Undone(Exception):  # noqa: N818 - what happened
    pass


def _read(letter: DeadLetter, rules: Rules) -> Delivery | str:
    return read_record(letter.record, rules.contracts)


def _converts(state: State, letter: DeadLetter, delivery: Delivery, rules: Rules) -> bool:
    """A letter of the conversion is staged already: see whether its persons can be converted now."""
    if letter.stage == "read":
        return True
    aliases = {entry.version.person for entry in delivery.entries if entry.version and entry.version.person}
    return convertible(state.connection, delivery.finess, sorted(aliases), rules=rules)
