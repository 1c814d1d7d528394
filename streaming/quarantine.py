"""Local aliases of persons or stays → their stays in `ops`, with status and reason. Reads only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from streaming.database import Database

OF_PERSONS = """
SELECT s.status, s.exit_year, s.reason, s.event_id, s.entry FROM stay s
WHERE s.finess = :finess AND s.status <> 'none' AND s.owner IN (
    SELECT owner FROM owner_alias WHERE finess = :finess AND alias IN (SELECT value FROM json_each(:aliases)))
ORDER BY s.exit_year, s.key
"""
OF_STAYS = """
SELECT s.status, s.exit_year, s.reason, s.event_id, s.entry FROM stay s
WHERE s.finess = :finess AND s.status <> 'none' AND s.key IN (
    SELECT key FROM declared
    WHERE finess = :finess AND kind = 'stay' AND alias IN (SELECT value FROM json_each(:aliases)))
ORDER BY s.exit_year, s.key
"""


QUARANTINED = """
SELECT s.finess, s.exit_year, s.reason, s.event_id, s.entry FROM stay s
WHERE s.status = 'quarantined' AND s.finess = coalesce(:finess, s.finess)
ORDER BY s.finess, s.reason, s.event_id, s.entry LIMIT :most
"""


class Quarantined(NamedTuple):
    """One stay in quarantine: the hospital, why, and the event and entry of its Encounter."""

    finess: str
    exit_year: int | None
    reason: str
    event_id: str | None
    entry: int | None


class StayFound(NamedTuple):
    """One stay: what became of it, why, and the event and entry of its Encounter."""

    status: str
    exit_year: int | None
    reason: str | None
    event_id: str | None
    entry: int | None


def stays_of(state: Database, finess: str, *, persons: Iterable[str], stays: Iterable[str]) -> list[StayFound]:
    """Return the stays of these aliases; those of a visit when there is one, else those of the person."""
    visits = sorted(stays)
    query, aliases = (OF_STAYS, visits) if visits else (OF_PERSONS, sorted(persons))
    rows = state.execute(query, {"finess": finess, "aliases": json.dumps(aliases)}).fetchall()
    return [StayFound(*row) for row in rows]


def quarantined(state: Database, *, finess: str | None, most: int) -> list[Quarantined]:
    """Return the stays in quarantine of a hospital, or of all: no key of a person or stay, only where to look."""
    return [Quarantined(*row) for row in state.execute(QUARANTINED, {"finess": finess, "most": most}).fetchall()]
