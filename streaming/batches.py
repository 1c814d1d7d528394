"""Records → transaction 1: staged versions, dead letters, duplicates, offset, marks: all of a batch, or nothing.

Event ids only count duplicates: a resent event passes the version guard like any other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import orjson

from fhir_profiles.errors import Poisoned
from streaming import dead_letter
from streaming.database import Database
from streaming.dead_letter import Announce, DeadLetter, FloodGuard, nobody
from streaming.event import Record
from streaming.naming import keys_of
from streaming.opposition import NO_ACTS
from streaming.register import Register
from streaming.resources import stage
from streaming.staging import Delivery, read_event, resources_of
from streaming.state import RULES_VERSION, State
from transformers.contract import Contract

Contracts = Callable[[str], Contract | None]
"""FINESS → the hospital's contract, None for a hospital that the platform does not know."""

log = logging.getLogger(__name__)

SUPPRESSED = "suppressed_events"
"""The counter of events that were read and not applied: their person objected."""

# the act is carried out again, so that such events do not stay in the log
AGAIN = "UPDATE act_done SET keys = -2 WHERE id = ? AND keys >= 0"
SEEN = "SELECT event_id FROM seen WHERE event_id IN (SELECT value FROM json_each(?))"

WAITING = "SELECT alias FROM dirty WHERE finess = ? AND alias IN (SELECT value FROM json_each(?))"
COUNTED = """
SELECT owner_alias.alias FROM owner_alias CROSS JOIN quality ON quality.owner = owner_alias.owner AND quality.code = ?
WHERE owner_alias.finess = ? AND owner_alias.alias IN (SELECT value FROM json_each(?))
"""


@dataclass(frozen=True, slots=True, repr=False)
class Fresh:
    """One new event: its place in the log, and the persons (FINESS, alias) that it speaks of."""

    partition: int
    offset: int
    persons: frozenset[tuple[str, str]]

    def __repr__(self) -> str:
        return f"Fresh(partition={self.partition}, offset={self.offset})"


def apply_batch(
    state: State,
    records: Sequence[Record],
    *,
    log_identity: str,
    contracts: Contracts,
    flood: FloodGuard,
    after: int | None = None,
    announce: Announce = nobody,
    register: Register | None = None,
) -> tuple[list[Fresh], int]:
    """Stage one batch of a partition; return the new events and the last offset taken.

    Stops early, with what came before kept, when poison floods. `after` is the position that the batch continues
    (by default the one before its first record): when another writer moved it, `Unavailable` and nothing is kept.
    Dead letters are announced before anything is kept.
    """
    before = records[0].offset - 1 if after is None else after
    read: list[tuple[Record, Delivery | str]] = []
    for record in records:
        outcome = read_record(record, contracts)
        read.append((record, outcome))
        flood.observe(isinstance(outcome, str))
        if flood.flooded:
            break
    read, suppressed = _without_opposed(read, register, contracts)
    last = read[-1][0]
    dead = [DeadLetter(record, one, "read") for record, one in read if isinstance(one, str)]
    if dead:
        announce(dead)
    with state.transaction() as connection:
        state.lock({one.finess for _, one in read if isinstance(one, Delivery)})
        ids = [one.event_id for _, one in read if isinstance(one, Delivery)]
        seen = {row[0] for row in connection.execute(SEEN, (orjson.dumps(ids).decode(),))}
        deliveries: list[tuple[Delivery, bool]] = []
        fresh: list[Fresh] = []
        new_ids: list[tuple[str]] = []
        for record, one in read:
            if isinstance(one, str):
                continue
            known = one.event_id in seen
            deliveries.append((one, known))
            if not known:
                seen.add(one.event_id)
                new_ids.append((one.event_id,))
                fresh.append(Fresh(record.partition, record.offset, _persons(one)))
        for letter in dead:
            dead_letter.keep(connection, letter)
        connection.executemany(AGAIN, sorted({(act,) for act in suppressed}))
        staged = stage(connection, deliveries)
        state.mark_dirty(staged.dirty)
        connection.executemany("INSERT INTO seen (event_id) VALUES (?) ON CONFLICT DO NOTHING", new_ids)
        if version := last.event.headers.get("rules-version"):
            state.note(RULES_VERSION, version)
        state.move_position(last.partition, before, last.offset, log=log_identity)
        state.count(
            {
                "applied": len(fresh),
                "duplicates": len(deliveries) - len(fresh),
                "dead_letters": len(dead),
                "superseded": staged.superseded,
                "stamps_ahead": staged.ahead,
                SUPPRESSED: len(suppressed),
            }
        )
    return fresh, last.offset


def _without_opposed(
    read: list[tuple[Record, Delivery | str]], register: Register | None, contracts: Contracts
) -> tuple[list[tuple[Record, Delivery | str]], list[str]]:
    """Empty what speaks of persons who objected, whatever the gateway knew; return the act of each such event too."""
    acts = register.acts() if register is not None else NO_ACTS
    if register is None or not acts.by_id:
        return read, []
    kept: list[tuple[Record, Delivery | str]] = []
    suppressed: list[str] = []
    for record, one in read:
        contract = contracts(one.finess) if isinstance(one, Delivery) else None
        if isinstance(one, Delivery) and contract is not None:
            keys = keys_of(one.finess, resources_of(record.event.value))
            for act in acts.near(one.finess, keys):
                told = act.fresh(keys) if act.is_about(keys) else act.shared(keys)
                if told and act.suppresses(contract.legal_basis):
                    register.learn(act.id, told)
            found = acts.suppressing(one.finess, keys, legal_basis=contract.legal_basis)
            if found is not None:
                suppressed.append(found.id)
                kept.append((record, replace(one, entries=())))
                continue
        kept.append((record, one))
    return kept, suppressed


def read_record(record: Record, contracts: Contracts) -> Delivery | str:
    """Return what an event says, or the code of why it can never be applied."""
    try:
        delivery = read_event(record)
    except Poisoned as poison:
        return poison.code
    except Exception as error:  # noqa: BLE001 - nothing that stands in a log may stop the ones after it
        log.error("event-unreadable: %s", type(error).__name__)  # noqa: TRY400
        return "event-unreadable"
    return delivery if contracts(delivery.finess) is not None else "hospital-unknown"


def fates(connection: Database, events: Sequence[Fresh], *, code: str) -> tuple[frozenset[Fresh], frozenset[Fresh]]:
    """Return the events none of whose persons waits to be written, and those of them of which one has this counter."""
    waiting: set[tuple[str, str]] = set()
    marked: set[tuple[str, str]] = set()
    for hospital in {finess for one in events for finess, _ in one.persons}:
        listed = sorted({alias for one in events for finess, alias in one.persons if finess == hospital})
        aliases = orjson.dumps(listed).decode()
        waiting |= {(hospital, alias) for (alias,) in connection.execute(WAITING, (hospital, aliases))}
        marked |= {(hospital, alias) for (alias,) in connection.execute(COUNTED, (code, hospital, aliases))}
    settled = frozenset(one for one in events if not one.persons & waiting)
    return settled, frozenset(one for one in settled if one.persons & marked)


def _persons(delivery: Delivery) -> frozenset[tuple[str, str]]:
    return frozenset(
        (delivery.finess, entry.version.person)
        for entry in delivery.entries
        if entry.version is not None and entry.version.person is not None
    )
