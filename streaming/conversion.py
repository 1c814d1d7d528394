"""Dirty persons → a planned change: who they are now, their rows, and the rows of the hospital years they touch.

Calls the pure conversion of `transformers.snds`; a person that it cannot convert is put in quarantine and named to
the caller, and holds up nobody else.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from streaming import ownership
from streaming.batches import Contracts
from streaming.database import Database
from streaming.numbers import Numbers
from streaming.ownership import NOWHERE, Origins, Written
from streaming.persons import Loaded, Person, Views, persons
from streaming.sink import Change
from transformers.contract import Contract
from transformers.snds.person import person_rows
from transformers.snds.schema import hospital_row, physical_name
from transformers.snds.view import PersonRows, PersonView, Row, RsaNumbers, StayOutcome, TablePseudonyms

HOSPITAL_TABLE = "T_MCOaaE"
FAILED = "conversion-failed"
MOST_ROWS = 40_000
"""Rows of new persons that are held at once, give or take those of one group (`persons.AT_ONCE`)."""
DISPLACED = """
SELECT DISTINCT person FROM resource WHERE finess = :finess AND person IS NOT NULL AND key IN (
    SELECT :stay UNION SELECT key FROM declared WHERE finess = :finess AND kind = 'stay' AND alias = :stay)
"""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """One round: what the store must do, and what `ops` keeps once it is done."""

    written: tuple[Written, ...]
    change: Change
    years: tuple[tuple[str, int], ...]
    displaced: frozenset[tuple[str, str]]
    failed: tuple[Person, ...]

    def __repr__(self) -> str:
        return f"Plan({len(self.written)} persons)"


class Convert(Protocol):
    """One person's view → its rows: `transformers.snds.person.person_rows`, or what a test puts in its place."""

    def __call__(
        self, view: PersonView, *, contract: Contract, pseudonyms: TablePseudonyms, numbers: RsaNumbers
    ) -> PersonRows:
        """Return every row of one person."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """What rows are computed with. `refused` are persons (FINESS, alias) whose rows the store did not take."""

    contracts: Contracts
    pseudonyms: TablePseudonyms
    convert: Convert = person_rows
    refused: frozenset[tuple[str, str]] = frozenset()


def plan(connection: Database, dirty: Mapping[str, Sequence[str]], *, rules: Rules) -> Plan:
    """Compute the rows of these persons, name their owners in `ops`, and return the change to commit."""
    computed: list[tuple[Person, Origins, PersonRows]] = []
    made = 0
    displaced: set[tuple[str, str]] = set()
    failed: list[Person] = []
    for finess, aliases in dirty.items():
        views = Views(connection, finess)
        numbers = Numbers(connection, finess, start=rules.pseudonyms.rsa_num)
        for group in views.find_all(_new_ones_last(persons(connection, finess, aliases))):
            if computed and made >= MOST_ROWS and not any(found.person.owners for found in group):
                break  # they stay marked, for the next round
            numbers.expect(key for found in group for key in found.encounters)
            for person, _, load in group:
                loaded = load()
                rows = _convert(person, loaded, numbers=numbers, rules=rules)
                if rows is None:
                    failed.append(person)
                    rows = _quarantine(loaded)
                made += sum(map(len, rows.tables.values()))
                computed.append((person, {one.key: loaded.origins.get(one.key, NOWHERE) for one in rows.stays}, rows))
        numbers.save()
        displaced |= {(finess, person) for stay in numbers.displaced for person in _person_of(connection, finess, stay)}
    written = ownership.assign(connection, computed)
    ownership.move_exits(connection, written)
    rows_by_table = ownership.rows_by_table(written)
    years, hospital_owners = _hospital_rows(connection, sorted(dirty), rows_by_table, contracts=rules.contracts)
    held = ownership.tables_held(connection, {o for one in written for o in one.person.owners})
    for name, owners in hospital_owners.items():
        held.setdefault(name, []).extend(owners)
    ownership.hold(connection, written)
    return Plan(tuple(written), Change(held, rows_by_table), years, frozenset(displaced), tuple(failed))


def _new_ones_last(people: Iterable[Person]) -> list[Person]:
    """Put persons with rows first: parts of one that split or merged are replaced in one round, others can wait."""
    return sorted(people, key=lambda person: not person.owners)


def convertible(connection: Database, finess: str, aliases: Sequence[str], *, rules: Rules) -> bool:
    """Say whether the conversion works for all persons of these aliases. Run it in a transaction that is undone."""
    views = Views(connection, finess)
    numbers = Numbers(connection, finess, start=rules.pseudonyms.rsa_num)
    found = persons(connection, finess, aliases)
    return all(_convert(one, views.load(one), numbers=numbers, rules=rules) is not None for one in found)


def _convert(person: Person, loaded: Loaded, *, numbers: Numbers, rules: Rules) -> PersonRows | None:
    if any((person.finess, alias) in rules.refused for alias in person.aliases):
        return None
    contract = rules.contracts(person.finess) or Contract(finess=person.finess)
    try:
        return rules.convert(loaded.view, contract=contract, pseudonyms=rules.pseudonyms, numbers=numbers)
    except Exception as error:  # noqa: BLE001 - whatever it is, one person must not stop the others
        place = traceback.extract_tb(error.__traceback__)[-1]
        log.error("%s: %s at %s:%s", FAILED, type(error).__name__, place.name, place.lineno)  # noqa: TRY400
        return None


def _quarantine(loaded: Loaded) -> PersonRows:
    stays = tuple(
        StayOutcome(key=one.key, status="quarantined", reason=FAILED)
        for one in loaded.view.resources
        if one.type == "Encounter" and one.resource.get("status") == "finished" and "partOf" not in one.resource
    )
    return PersonRows(stays=stays, tables={}, counts={FAILED: 1})


def _person_of(connection: Database, finess: str, stay: str) -> Sequence[str]:
    return [row[0] for row in connection.execute(DISPLACED, {"finess": finess, "stay": stay})]


def _hospital_rows(
    connection: Database, hospitals: Sequence[str], tables: dict[str, list[tuple[int, Row]]], *, contracts: Contracts
) -> tuple[tuple[tuple[str, int], ...], dict[str, list[int]]]:
    """Add the row of each hospital year that gained or lost an exit; return the years and whose old rows go."""
    marked = connection.execute("SELECT finess, year FROM dirty_year ORDER BY 1, 2").fetchall()
    years = tuple((finess, year) for finess, year in marked if finess in hospitals)
    removed: dict[str, list[int]] = {}
    for finess, year in years:
        name = physical_name(HOSPITAL_TABLE, year)
        owner = ownership.hospital_owner(connection, finess)
        removed.setdefault(name, []).append(owner)
        exits = connection.execute(
            "SELECT DISTINCT year, month FROM exit WHERE finess = ? AND year = ? ORDER BY month", (finess, year)
        ).fetchall()
        if exits:
            row = hospital_row(contracts(finess) or Contract(finess=finess), exits)
            tables.setdefault(name, []).append((owner, row))
    return years, removed
