"""A decision → the same without what speaks of persons who objected: not published, not stored, counted (DESIGN §7).

The sender's answer does not change: 202 like any other. What is learnt of a person's keys goes to the register.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gateway.decision import Decision
from streaming.naming import Key, keys_in
from streaming.opposition import Act, Acts
from streaming.register import Register
from transformers.contract import Contract
from transformers.deidentify.values import Former


@dataclass(frozen=True, slots=True, repr=False)
class Learnt:
    """Keys that an act did not have yet."""

    act: str
    keys: frozenset[Key]


def without_opposed(decision: Decision, acts: Acts, contract: Contract) -> tuple[Decision, tuple[Learnt, ...]]:
    """Take out the events of persons whom an act keeps out, and say what was learnt of them."""
    if not acts.by_id or not decision.events:
        return decision, ()
    kept, learnt = [], []
    suppressed: set[int] = set()
    carried: set[int] = set()
    replaced = decision.former or ((),) * len(decision.events)
    for event, indices, former in zip(decision.events, decision.carried, replaced, strict=True):
        keys = keys_in(contract.finess, event.value) | _old(former)
        near = acts.near(contract.finess, keys)
        learnt += [one for act in near if (one := _learnt(act, keys, former, contract)).keys]
        if any(act.suppresses(contract.legal_basis) and act.is_about(keys) for act in near):
            suppressed.update(indices)
        else:
            kept.append((event, indices, former))
            carried.update(indices)
    number = len(suppressed - carried)
    counts = replace(
        decision.counts,
        suppressed=decision.counts.suppressed + number,
        published=decision.counts.published - number,
    )
    left = replace(
        decision,
        counts=counts,
        events=tuple(event for event, _, _ in kept),
        carried=tuple(indices for _, indices, _ in kept),
        former=tuple(former for _, _, former in kept),
    )
    return left, tuple(learnt)


def teach(register: Register, learnt: Iterable[Learnt]) -> None:
    """Keep what was learnt. Raises Unavailable."""
    for one in learnt:
        register.learn(one.act, one.keys)


def _old(former: Sequence[Former]) -> frozenset[Key]:
    return frozenset((kind, "", old) for kind, old, _ in former)


def _learnt(act: Act, keys: frozenset[Key], former: Sequence[Former], contract: Contract) -> Learnt:
    """What the act did not know: other names of the person, a stay that others share, a name under the present key.

    Table writers see present values only, so a person whom the act knows by an old one gets the new one too.
    """
    told: frozenset[Key] = frozenset()
    if act.suppresses(contract.legal_basis):
        told = act.fresh(keys) if act.is_about(keys) else act.shared(keys)
    renewed = {(kind, "", new) for kind, old, new in former if (kind, "", old) in act.keys}
    return Learnt(act.id, told | (renewed - act.keys))
