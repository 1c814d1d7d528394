"""A decision → the same without what speaks of persons who objected: not published, not stored, counted (DESIGN §7).

The sender's answer does not change: 202 like any other. What is learnt of a person's local keys goes to the register.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gateway.decision import Decision
from streaming.opposition import Acts, Key, keys_in, local_keys, named_by
from streaming.register import Register
from transformers.contract import Contract


@dataclass(frozen=True, slots=True, repr=False)
class Learnt:
    """Keys of a person that an act did not have yet."""

    act: str
    keys: frozenset[Key]


def without_opposed(decision: Decision, acts: Acts, contract: Contract) -> tuple[Decision, tuple[Learnt, ...]]:
    """Take out the events of persons whom an act keeps out, and say what was learnt of them."""
    if not acts.by_id or not decision.events:
        return decision, ()
    kept, learnt = [], []
    suppressed: set[int] = set()
    carried: set[int] = set()
    for event, indices in zip(decision.events, decision.carried, strict=True):
        keys = keys_in(contract.finess, event.value)
        act = acts.suppressing(contract.finess, named_by(keys), legal_basis=contract.legal_basis)
        if act is None:
            kept.append((event, indices))
            carried.update(indices)
            continue
        suppressed.update(indices)
        if fresh := local_keys(keys) - act.keys:
            learnt.append(Learnt(act.id, fresh))
    number = len(suppressed - carried)
    counts = replace(
        decision.counts,
        suppressed=decision.counts.suppressed + number,
        published=decision.counts.published - number,
    )
    left = replace(
        decision,
        counts=counts,
        events=tuple(event for event, _ in kept),
        carried=tuple(indices for _, indices in kept),
    )
    return left, tuple(learnt)


def teach(register: Register, learnt: Iterable[Learnt]) -> None:
    """Keep what was learnt. Raises Unavailable."""
    for one in learnt:
        register.learn(one.act, one.keys)
