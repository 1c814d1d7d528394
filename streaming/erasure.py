"""Acts of the register → nothing left of a person in state, rows, dead letters, log and files, or nothing shown (P18).

Each step may be repeated: an act counts as done only at the end, so a crash in between repeats it. Keys of the person
go to the register before anything is removed: what comes later is recognised (DESIGN §7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import orjson

from streaming import dead_letter, ownership
from streaming.batches import Contracts
from streaming.database import Database
from streaming.naming import NEWBORN, SHARED, Key, keys_in, keys_of
from streaming.opposition import Act, Acts, indexed
from streaming.persons import Person, persons
from streaming.register import Register
from streaming.resources import persons_of_stays
from streaming.sink import Sink
from streaming.staging import IDENTITY
from streaming.state import State

# from one hospital to the next by the index: DISTINCT would read all of it
HOSPITALS = """
WITH RECURSIVE staged (finess) AS (
    SELECT min(finess) FROM resource
    UNION ALL
    SELECT (SELECT min(finess) FROM resource WHERE resource.finess > staged.finess)
    FROM staged WHERE staged.finess IS NOT NULL
), owning (finess) AS (
    SELECT min(finess) FROM owner_alias
    UNION ALL
    SELECT (SELECT min(finess) FROM owner_alias WHERE owner_alias.finess > owning.finess)
    FROM owning WHERE owning.finess IS NOT NULL
)
SELECT finess FROM staged WHERE finess IS NOT NULL UNION SELECT finess FROM owning WHERE finess IS NOT NULL
"""
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
MOST_NEEDLES = 30
DECLARED = """
SELECT EXISTS (SELECT 1 FROM declared
    WHERE finess = ? AND kind = 'person' AND alias IN (SELECT value FROM json_each(?)))
"""
FACTS = "SELECT body FROM resource WHERE finess = ? AND type = 'Basic' AND key IN (SELECT value FROM json_each(?))"
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
# keys: how many named the person when it was done; -1 while it is under way, -2 when only the log has to be looked at
DONE = "SELECT id, keys FROM act_done"
UNFINISHED = "SELECT EXISTS (SELECT 1 FROM act_done WHERE keys = -1)"
RESULT = "SELECT done_at, resources, table_rows, dead_letters FROM act_done WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Effect:
    """What an act took away within its perimeter; `done_at` is None while it is under way.

    `rows` are gone from the tables, or kept from readers where the act lets them be stored.
    """

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
    return [act for act in acts.by_id.values() if act.ended is None and done.get(act.id) != act.size]


def interrupted(connection: Database) -> bool:
    """Say whether an act was begun and not ended: what it removed may stand in files still."""
    return bool(connection.execute(UNFINISHED).fetchone()[0])


def remove(state: State, sink: Sink, act: Act, *, register: Register, contracts: Contracts) -> bool:
    """Remove what `ops` holds of the person, and mark it: the next rounds take its rows away.

    Returns whether there was anything.
    """
    removed = False
    with state.transaction() as connection:
        known = sorted(finess for (finess,) in connection.execute(HOSPITALS))
        for finess in known:
            contract = contracts(finess)
            if act.reaches(finess) and contract is not None and act.suppresses(contract.legal_basis):
                state.lock([finess])
                removed |= _remove(state, connection, sink, act, finess=finess, register=register)
        connection.execute(BEGIN, (act.id, 0, 0, 0))
    return removed


def count_hidden(state: State, sink: Sink, act: Act, *, contracts: Contracts) -> bool:
    """Count the rows that the act is about to keep from readers; return whether there are any persons to hide."""
    with state.transaction() as connection:
        owners = _hidden(connection, [act], contracts) - sink.hidden()
        rows = sink.count(ownership.tables_held(connection, owners)) if owners else 0
        connection.execute(BEGIN, (act.id, 0, rows, 0))
    return bool(owners)


def finish(state: State, act: Act, *, now: datetime | None = None) -> None:
    """Note that nothing is left, files and free pages included, of what these keys name."""
    with state.transaction() as connection:
        done_at = (now or datetime.now(UTC)).isoformat(timespec="seconds")
        connection.execute(END, (act.size, done_at, act.id))


def speaks_of(acts: Sequence[Act], *, register: Register, contracts: Contracts) -> Callable[[str, bytes], bool]:
    """Return what says whether an event of the log (FINESS, value) has to go; its local keys are learnt before."""
    known = {act.id: set(act.keys) for act in acts}
    asked = indexed(acts)
    needles = tuple({value.partition("|")[0].encode() for _, _, value in asked.by_key})
    look = len(needles) <= MOST_NEEDLES  # far faster than to parse it, while they are few

    def named(finess: str, value: bytes) -> bool:
        contract = contracts(finess)
        if contract is None or (look and not any(needle in value for needle in needles)):
            return False
        keys = keys_in(finess, value)
        found = [act for act in asked.near(finess, keys) if act.suppresses(contract.legal_basis) and act.is_about(keys)]
        for act in found:
            if fresh := act.fresh(keys) - known[act.id]:
                register.learn(act.id, fresh)
                known[act.id].update(fresh)
        return bool(found)

    return named


def hidden_owners(connection: Database, acts: Acts, contracts: Contracts) -> frozenset[int]:
    """Return the owners of rows that stay in the store and are not for readers: limitation, public mission."""
    alive = [act for act in acts.by_id.values() if act.ended is None and act.kind != "erasure"]
    return _hidden(connection, alive, contracts)


def _hidden(connection: Database, acts: Sequence[Act], contracts: Contracts) -> frozenset[int]:
    if not acts:
        return frozenset()
    owners: set[int] = set()
    for (finess,) in connection.execute(HOSPITALS).fetchall():
        contract = contracts(finess)
        hiding = [act for act in acts if act.reaches(finess) and contract and not act.suppresses(contract.legal_basis)]
        people = _people(connection, frozenset(key for act in hiding for key in act.keys), finess)
        owners |= {owner for person in people for owner in person.owners}
    return frozenset(owners)


def _people(connection: Database, keys: frozenset[Key], finess: str) -> list[Person]:
    """Return the persons of a hospital whom these keys name by more than a stay."""
    aliases = {value for kind, hospital, value in keys if kind == "person" and hospital == finess}
    chained = _json(f"{kind}:{value}" for kind, _, value in keys if kind in ("ano", "psa"))
    aliases |= {alias for (alias,) in connection.execute(KNOWN_AS, (finess, IDENTITY, chained))}
    return persons(connection, finess, aliases) if aliases else []


def _remove(state: State, connection: Database, sink: Sink, act: Act, *, finess: str, register: Register) -> bool:
    people, stays, shared = _with_strangers(connection, _people(connection, act.keys, finess), act, finess)
    aliases = {alias for person in people for alias in person.aliases}
    owners = {owner for person in people for owner in person.owners}
    keys = {key for (key,) in connection.execute(OF_PERSONS, (finess, _json(aliases)))}
    keys |= {key for (key,) in connection.execute(OF_STAYS, (finess, _json(stays)))}
    local = {("person", finess, alias) for alias in aliases} | {("stay", finess, alias) for alias in stays}
    local |= {(SHARED, finess, alias) for alias in shared} | _newborn(connection, finess, keys)
    if local - act.keys:
        register.learn(act.id, local - act.keys)
    held = ownership.tables_held(connection, owners)
    # without a resource it is the second attempt, after a crash: rows that still stand there were counted by the first
    finished = connection.execute(FINISHED, (_json_numbers(owners),)).fetchone()[0] if keys else 0
    rows = sink.count(held) if keys else 0
    for statement in REMOVE:
        connection.execute(statement, (finess, _json(keys)))
    state.mark_dirty({(finess, alias) for alias in aliases})
    forgotten = _forget_letters(connection, finess, replace(act, keys=act.keys | local))
    state.count({"suppressed_stays": int(finished), "dead_letters": -forgotten, "applied": forgotten})
    connection.execute(BEGIN, (act.id, len(keys), rows, forgotten))
    return bool(keys or rows or forgotten)


def _with_strangers(
    connection: Database, people: list[Person], act: Act, finess: str
) -> tuple[list[Person], set[str], set[str]]:
    """Return the person's parts, its stays, and those of them that another known person has too.

    A stay that names somebody of whom no Patient was ever sent is the person's under a name not heard of.
    """
    named = {value for kind, hospital, value in act.keys if kind == "stay" and hospital == finess}
    stays = named | _stays(connection, people, finess)
    shared: set[str] = set()
    for stay in sorted(stays):
        mine = {alias for person in people for alias in person.aliases}
        for other in persons(connection, finess, persons_of_stays(connection, finess, [stay]) - mine):
            if other.aliases & mine:
                continue
            if connection.execute(DECLARED, (finess, _json(other.aliases))).fetchone()[0]:
                shared.add(stay)
            else:
                people = [*people, other]
    return people, stays | _stays(connection, people, finess), shared


def _stays(connection: Database, people: Iterable[Person], finess: str) -> set[str]:
    aliases = {alias for person in people for alias in person.aliases}
    keys = {key for (key,) in connection.execute(OF_PERSONS, (finess, _json(aliases)))}
    return {alias for (alias,) in connection.execute(STAYS, (finess, _json(keys)))}


def _newborn(connection: Database, finess: str, keys: Iterable[str]) -> set[Key]:
    """Return the key that says that the person is a newborn, when a fact of it says so."""
    facts = (orjson.loads(body) for (body,) in connection.execute(FACTS, (finess, _json(keys))) if body is not None)
    return {key for key in keys_of(finess, facts) if key[0] == NEWBORN}


def _forget_letters(connection: Database, finess: str, act: Act) -> int:
    after, forgotten = (-1, -1), 0
    source = f"/hospital/{finess}/"
    while batch := dead_letter.letters(connection, after=after):
        after = (batch[-1].record.partition, batch[-1].record.offset)
        for letter in batch:
            event = letter.record.event
            if event.headers.get("ce_source", "").startswith(source) and act.is_about(keys_in(finess, event.value)):
                dead_letter.forget(connection, letter)
                forgotten += 1
    return forgotten


def _json(values: Iterable[str]) -> str:
    return orjson.dumps(sorted(values)).decode()


def _json_numbers(values: Iterable[int]) -> str:
    return orjson.dumps(sorted(values)).decode()
