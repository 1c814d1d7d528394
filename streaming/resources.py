"""Deliveries → `ops`: the latest version of each resource and fact, its edges, and the persons that it concerns.

Works on one micro-batch in memory and writes it with a few statements. Never decides what a row is; the version
guard (`versions`) decides which version is current.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from streaming.database import Database
from streaming.platform_keys import note_keys
from streaming.staging import ENCOUNTER, STRUCTURES, Delivery, links_of
from streaming.versions import NOTHING, History, Version, delete, receive

Address = tuple[str, str]
"""(FINESS, resource key)"""

VERSION = "stamped, stamp, version_id, received, event_id, entry, person, stay, body"
LOAD = f"""
SELECT key, id, type, top, top_first, deleted_at, spares, {VERSION}
FROM resource WHERE finess = ? AND key IN (SELECT value FROM json_each(?))
"""  # noqa: S608
LOAD_SPARES = f"SELECT {VERSION} FROM spare WHERE finess = ? AND key = ?"  # noqa: S608
ADD = f"""
INSERT INTO resource (finess, key, type, top, top_first, deleted_at, spares, {VERSION})
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""  # noqa: S608
SAVE = f"""{ADD}
ON CONFLICT (finess, key) DO UPDATE SET type = excluded.type, top = excluded.top, top_first = excluded.top_first,
    deleted_at = excluded.deleted_at, spares = excluded.spares, stamped = excluded.stamped, stamp = excluded.stamp,
    version_id = excluded.version_id, received = excluded.received, event_id = excluded.event_id,
    entry = excluded.entry, person = excluded.person, stay = excluded.stay, body = excluded.body
"""
SAVE_SPARE = f"INSERT INTO spare (finess, key, {VERSION}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
DECLARE = "INSERT INTO declared (finess, kind, alias, key) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
UNREFER = "DELETE FROM refers WHERE finess = ? AND target = ? AND key = ?"
REFER = "INSERT INTO refers (finess, target, key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
# CROSS JOIN fixes the order: SQLite would else start from every row of the hospital.
REFERRING = """
WITH RECURSIVE up (key) AS (
    SELECT value FROM json_each(:keys)
    UNION
    SELECT refers.key FROM up CROSS JOIN refers ON refers.finess = :finess AND refers.target = up.key
)
SELECT DISTINCT person, stay FROM up CROSS JOIN resource ON resource.finess = :finess AND resource.key = up.key
"""
PERSONS_OF_STAYS = """
WITH RECURSIVE link (alias) AS (
    SELECT value FROM json_each(:stays)
    UNION
    SELECT other.alias
    FROM link
        CROSS JOIN declared ON declared.finess = :finess AND declared.kind = 'stay' AND declared.alias = link.alias
        CROSS JOIN declared AS other ON other.finess = :finess AND other.key = declared.key AND other.kind = 'stay'
)
SELECT DISTINCT resource.person
FROM link
    CROSS JOIN declared ON declared.finess = :finess AND declared.kind = 'stay' AND declared.alias = link.alias
    CROSS JOIN resource ON resource.finess = :finess AND resource.key = declared.key
WHERE resource.person IS NOT NULL
"""


@dataclass(slots=True)
class _Held:
    type: str
    history: History
    before: Version | None
    known: bool = False
    had_spares: bool = False
    type_before: str = ""


@dataclass(slots=True)
class Staged:
    """What a batch did: counters, and the persons (FINESS, alias) that it concerns."""

    superseded: int = 0
    ahead: int = 0
    dirty: set[tuple[str, str]] = field(default_factory=set)


def stage(connection: Database, deliveries: Sequence[tuple[Delivery, bool]]) -> Staged:
    """Stage a batch of (delivery, already seen), in order, in the caller's transaction."""
    held = _load(connection, {(d.finess, entry.key) for d, _ in deliveries for entry in d.entries})
    staged = Staged()
    for delivery, seen in deliveries:
        staged.ahead += delivery.ahead
        for entry in delivery.entries:
            key, kind, version, received = entry
            one = held.get((delivery.finess, key))
            if one is None:  # by far the most frequent case
                past = delete(NOTHING, received) if version is None else receive(NOTHING, version)
                held[delivery.finess, key] = _Held(kind, past, None)
            elif version is None:
                one.history = delete(one.history, received)
            else:
                staged.superseded += _receive(one, kind, version) and not seen
    _save(connection, held, staged)
    note_keys(connection, [delivery for delivery, _ in deliveries])
    return staged


def persons_of_stays(connection: Database, finess: str, stays: Iterable[str]) -> set[str]:
    """Return the person aliases of the Encounters that declare any of these stay aliases."""
    parameters = {"finess": finess, "stays": orjson.dumps(sorted(stays)).decode()}
    return {person for (person,) in connection.execute(PERSONS_OF_STAYS, parameters)}


def _receive(held: _Held, resource_type: str, version: Version) -> bool:
    """Judge one version. Returns whether content lost: this one, or the one that it replaces."""
    before = held.history.current
    held.history = receive(held.history, version)
    after = held.history.current
    if after is version:
        held.type = resource_type
        return before is not None and before.body != version.body
    return after is None or after.body != version.body


def _load(connection: Database, addresses: set[Address]) -> dict[Address, _Held]:
    by_hospital: dict[str, list[str]] = {}
    for finess, key in addresses:
        by_hospital.setdefault(finess, []).append(key)
    held: dict[Address, _Held] = {}
    for finess, keys in by_hospital.items():
        for key, _, kind, top, top_first, deleted_at, spares, *columns in connection.execute(
            LOAD, (finess, orjson.dumps(keys).decode())
        ).fetchall():
            current = _version(columns) if columns[-1] is not None else None
            others = connection.execute(LOAD_SPARES, (finess, key)).fetchall() if spares else []
            history = History(current, top, top_first, deleted_at, tuple(_version(row) for row in others))
            held[finess, key] = _Held(kind, history, current, known=True, had_spares=bool(spares), type_before=kind)
    return held


def _version(columns: Sequence[object]) -> Version:
    stamped, stamp, version_id, received, event_id, entry, person, stay, body = columns
    return Version(
        bool(stamped), stamp, version_id, received, event_id, entry, body, person, stay  # type: ignore[arg-type]
    )  # fmt: skip


def _save(connection: Database, held: Mapping[Address, _Held], staged: Staged) -> None:
    changed = {address: one for address, one in held.items() if _changed(one)}
    loose = _loose_stays(changed)
    _mark_stays(connection, loose, staged)
    connection.executemany(ADD, [_row(address, one) for address, one in held.items() if not one.known])
    connection.executemany(SAVE, [_row(address, one) for address, one in held.items() if one.known])
    _save_spares(connection, held)
    _save_links(connection, changed)
    for (finess, _), one in changed.items():
        for version in (one.before, one.history.current):
            if version is not None and version.person is not None:
                staged.dirty.add((finess, version.person))
    _mark_stays(connection, loose, staged)
    _mark_referring(connection, changed, staged)


def _changed(held: _Held) -> bool:
    before, after = held.before, held.history.current
    if before is None or after is None:
        return before is not after
    return before.body != after.body


def _row(address: Address, held: _Held) -> tuple[object, ...]:
    history = held.history
    version = history.current
    kept = (held.type, history.top, history.top_first, history.deleted_at, len(history.spares))
    if version is None:
        return (*address, *kept, 0, 0, -1, history.deleted_at or 0, "", 0, None, None, None)
    return (*address, *kept, *_columns(version))


def _columns(version: Version) -> tuple[object, ...]:
    """Return the columns of `VERSION`, in its order."""
    stamped, stamp, version_id, received, event_id, entry, body, person, stay = version
    return (int(stamped), stamp, version_id, received, event_id, entry, person, stay, body)


def _save_spares(connection: Database, held: Mapping[Address, _Held]) -> None:
    for address, one in held.items():
        if one.had_spares:
            connection.execute("DELETE FROM spare WHERE finess = ? AND key = ?", address)
        for spare in one.history.spares:
            connection.execute(SAVE_SPARE, (*address, *_columns(spare)))


def _save_links(connection: Database, changed: Mapping[Address, _Held]) -> None:
    known = [(*address, one.before) for address, one in changed.items() if one.before is not None]
    connection.executemany("DELETE FROM declared WHERE finess = ? AND key = ?", [one[:2] for one in known])
    connection.executemany(
        UNREFER,
        [
            (finess, target, key)
            for finess, key, before in known
            for target in links_of(changed[finess, key].type_before, before.body).targets
        ],
    )
    declared: list[tuple[str, str, str, str]] = []
    refers: list[tuple[str, str, str]] = []
    for (finess, key), one in changed.items():
        if one.history.current is None:
            continue
        links = links_of(one.type, one.history.current.body)
        declared += [(finess, links.kind, alias, key) for alias in links.aliases if links.kind]
        refers += [(finess, target, key) for target in links.targets if target != key]
    connection.executemany(DECLARE, declared)
    connection.executemany(REFER, refers)


def _loose_stays(changed: Mapping[Address, _Held]) -> dict[str, set[str]]:
    """Resources that name a stay and no person reach their person through the Encounters of that stay."""
    loose: dict[str, set[str]] = {}
    for (finess, _), one in changed.items():
        for version in (one.before, one.history.current):
            if version is not None and version.person is None and version.stay is not None:
                loose.setdefault(finess, set()).add(version.stay)
    return loose


def _mark_stays(connection: Database, loose: Mapping[str, set[str]], staged: Staged) -> None:
    """Mark the persons of these stays, once as the edges were and once as they are."""
    for finess, stays in loose.items():
        staged.dirty |= {(finess, person) for person in persons_of_stays(connection, finess, stays)}


def _mark_referring(connection: Database, changed: Mapping[Address, _Held], staged: Staged) -> None:
    """Mark the persons whose resources refer, directly or through other structures, to a changed structure.

    An Encounter counts as one: that of a newborn is part of its mother's.
    """
    structures: dict[str, list[str]] = {}
    for (finess, key), one in changed.items():
        if one.type in STRUCTURES or one.type == ENCOUNTER:
            structures.setdefault(finess, []).append(key)
    for finess, keys in structures.items():
        rows = connection.execute(REFERRING, {"finess": finess, "keys": orjson.dumps(keys).decode()}).fetchall()
        staged.dirty |= {(finess, person) for person, _ in rows if person is not None}
        stays = {stay for person, stay in rows if person is None and stay is not None}
        if stays:
            _mark_stays(connection, {finess: stays}, staged)
