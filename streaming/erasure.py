"""Acts of the register → nothing left of a person in state, rows, dead letters, log and files (DESIGN §7, P18).

Each step may be repeated: an act counts as done only at the end, so a crash in between repeats it. Keys of the person
go to the register before anything is removed: what comes later is recognised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from streaming import dead_letter, ownership
from streaming.batches import Contracts
from streaming.database import Database
from streaming.opposition import Act, Acts, Key, keys_in, local_keys, named_by
from streaming.persons import Person, persons
from streaming.register import Register
from streaming.sink import Sink
from streaming.staging import IDENTITY
from streaming.state import State

HOSPITALS = "SELECT DISTINCT finess FROM resource UNION SELECT DISTINCT finess FROM owner_alias"
KNOWN_AS = """
SELECT DISTINCT resource.person FROM declared
    CROSS JOIN resource ON resource.finess = declared.finess AND resource.key = declared.key
WHERE declared.finess = ? AND declared.kind = ? AND declared.alias IN (SELECT value FROM json_each(?))
    AND resource.person IS NOT NULL
"""
OF_PERSONS = "SELECT key FROM resource WHERE finess = ? AND person IN (SELECT value FROM json_each(?))"
OF_STAYS = """
SELECT key FROM resource WHERE finess = ? AND person IS NULL AND stay IN (SELECT value FROM json_each(?))
"""
STAYS = """
SELECT DISTINCT alias FROM declared WHERE finess = ? AND kind = 'stay' AND key IN (SELECT value FROM json_each(?))
"""
FINISHED = """
SELECT count(*) FROM stay WHERE status IN ('written', 'quarantined')
    AND owner IN (SELECT CAST(value AS BIGINT) FROM json_each(?))
"""
REMOVE = (
    "DELETE FROM resource WHERE finess = ? AND key IN (SELECT value FROM json_each(?))",
    "DELETE FROM spare WHERE finess = ? AND key IN (SELECT value FROM json_each(?))",
    "DELETE FROM declared WHERE finess = ? AND key IN (SELECT value FROM json_each(?))",
    "DELETE FROM refers WHERE finess = ? AND key IN (SELECT value FROM json_each(?))",
    "DELETE FROM rsa_number WHERE finess = ? AND stay IN (SELECT value FROM json_each(?))",
)
BEGIN = """
INSERT INTO act_done (id, keys, done_at, resources, table_rows, dead_letters) VALUES (?, -1, NULL, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET keys = -1, resources = act_done.resources + excluded.resources,
    table_rows = act_done.table_rows + excluded.table_rows,
    dead_letters = act_done.dead_letters + excluded.dead_letters
"""
END = "UPDATE act_done SET keys = ?, done_at = ? WHERE id = ?"
DONE = "SELECT id, keys FROM act_done"
RESULT = "SELECT done_at, resources, table_rows, dead_letters FROM act_done WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Effect:
    """What an act removed within its perimeter; `done_at` is None while it is under way."""

    done_at: str | None
    resources: int
    rows: int
    dead_letters: int


def effect(connection: Database, act: str) -> Effect | None:
    """Return what an act removed so far, None when no writer has seen it."""
    row = connection.execute(RESULT, (act,)).fetchone()
    return Effect(*row) if row else None


def due(connection: Database, acts: Acts) -> list[Act]:
    """Return the acts that hold and whose effect is missing or incomplete (keys were learnt since)."""
    done = dict(connection.execute(DONE).fetchall()) if acts.by_id else {}
    return [
        act
        for act in acts.by_id.values()
        if act.ended is None and act.kind != "limitation" and done.get(act.id) != len(act.keys)
    ]


def remove(state: State, sink: Sink, act: Act, *, register: Register, contracts: Contracts) -> None:
    """Remove what `ops` holds of the person, and mark it: the next rounds take its rows away."""
    with state.transaction() as connection:
        known = sorted(finess for (finess,) in connection.execute(HOSPITALS))
        for finess in known:
            contract = contracts(finess)
            if act.reaches(finess) and contract is not None and act.suppresses(contract.legal_basis):
                state.lock([finess])
                _remove(state, connection, sink, act, finess=finess, register=register)
        connection.execute(BEGIN, (act.id, 0, 0, 0))


def finish(state: State, act: Act, *, now: datetime | None = None) -> None:
    """Note that nothing is left, files and free pages included, of what these keys name."""
    with state.transaction() as connection:
        done_at = (now or datetime.now(UTC)).isoformat(timespec="seconds")
        connection.execute(END, (len(act.keys), done_at, act.id))


def speaks_of(act: Act, *, register: Register, contracts: Contracts) -> Callable[[str, bytes], bool]:
    """Return what says whether an event of the log (FINESS, value) has to go; its local keys are learnt before."""
    known = set(act.keys)

    def named(finess: str, value: bytes) -> bool:
        contract = contracts(finess)
        if contract is None or not act.reaches(finess) or not act.suppresses(contract.legal_basis):
            return False
        keys = keys_in(finess, value)
        if not act.keys & named_by(keys):
            return False
        if fresh := local_keys(keys) - known:
            register.learn(act.id, fresh)
            known.update(fresh)
        return True

    return named


def hidden_owners(connection: Database, acts: Acts, contracts: Contracts) -> frozenset[int]:
    """Return the owners of rows that stay in the store and are not for readers: limitation, public mission."""
    alive = [act for act in acts.by_id.values() if act.ended is None and act.kind != "erasure"]
    if not alive:
        return frozenset()
    agreed = [(finess, contracts(finess)) for (finess,) in connection.execute(HOSPITALS).fetchall()]
    return frozenset(
        owner
        for act in alive
        for finess, contract in agreed
        if contract is not None and act.reaches(finess) and not act.suppresses(contract.legal_basis)
        for person in _people(connection, act, finess)
        for owner in person.owners
    )


def _people(connection: Database, act: Act, finess: str) -> list[Person]:
    aliases = {value for kind, hospital, value in act.keys if kind == "person" and hospital == finess}
    chained = _json(f"{kind}:{value}" for kind, _, value in act.keys if kind in ("ano", "psa"))
    aliases |= {alias for (alias,) in connection.execute(KNOWN_AS, (finess, IDENTITY, chained))}
    return persons(connection, finess, aliases)


def _remove(state: State, connection: Database, sink: Sink, act: Act, *, finess: str, register: Register) -> None:
    people = _people(connection, act, finess)
    aliases = {alias for person in people for alias in person.aliases}
    owners = {owner for person in people for owner in person.owners}
    keys = {key for (key,) in connection.execute(OF_PERSONS, (finess, _json(aliases)))}
    stays = {alias for (alias,) in connection.execute(STAYS, (finess, _json(keys)))}
    stays |= {value for kind, hospital, value in act.keys if kind == "stay" and hospital == finess}
    keys |= {key for (key,) in connection.execute(OF_STAYS, (finess, _json(stays)))}
    local = {("person", finess, alias) for alias in aliases} | {("stay", finess, alias) for alias in stays}
    if local - act.keys:
        register.learn(act.id, local - act.keys)
    held = ownership.tables_held(connection, owners)
    finished = connection.execute(FINISHED, (_json_numbers(owners),)).fetchone()[0]
    rows = sink.count(held)
    for statement in REMOVE:
        connection.execute(statement, (finess, _json(keys)))
    state.mark_dirty({(finess, alias) for alias in aliases})
    forgotten = _forget_letters(connection, finess, act.keys | local)
    state.count({"suppressed_stays": int(finished), "dead_letters": -forgotten, "applied": forgotten})
    connection.execute(BEGIN, (act.id, len(keys), rows, forgotten))


def _forget_letters(connection: Database, finess: str, keys: frozenset[Key]) -> int:
    after, forgotten = (-1, -1), 0
    source = f"/hospital/{finess}/"
    while batch := dead_letter.letters(connection, after=after):
        after = (batch[-1].record.partition, batch[-1].record.offset)
        for letter in batch:
            event = letter.record.event
            if event.headers.get("ce_source", "").startswith(source) and keys & named_by(keys_in(finess, event.value)):
                dead_letter.forget(connection, letter)
                forgotten += 1
    return forgotten


def _json(values: Iterable[str]) -> str:
    return orjson.dumps(sorted(values)).decode()


def _json_numbers(values: Iterable[int]) -> str:
    return orjson.dumps(sorted(values)).decode()
