"""D and a row's key → where the row came from: events, versions, and column by column the resources that gave it.

Reads `ops`, the log and the lake; needs the tables' key, since numbers of clinical rows cannot be turned back. Never:
a local key or a level-1 pseudonym in what is returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from fhir_profiles.errors import PipelineError, Unavailable
from streaming import sqlite
from streaming.batches import Contracts
from streaming.database import Database
from streaming.layout import logical_name, year_of
from streaming.numbers import FIND
from streaming.persons import Loaded, Views, persons
from streaming.reading import LOG
from streaming.reference_store import read_reference
from transformers.contract import Contract
from transformers.deidentify.pseudonyms import TableKeys
from transformers.snds.beneficiary import PSA
from transformers.snds.dispensing import account_number
from transformers.snds.elements import identifiers
from transformers.snds.lineage import CLINICAL, Traced, trace
from transformers.snds.person import person_rows
from transformers.snds.schema import TABLES
from transformers.snds.view import PersonView

NUMBERED = {
    "T_EDSaaBIO": ("BIO_RES_NUM", "Observation"),
    "T_EDSaaCST": ("CST_MES_NUM", "Observation"),
    "T_EDSaaADM": ("ADM_EVT_NUM", "MedicationAdministration"),
    "T_EDSaaPRE": ("PRE_EVT_NUM", "MedicationRequest"),
}
DCIR = frozenset({"ER_PRS_F", "ER_PHA_F", "ER_UCD_F", "ER_ETE_F"})
COMPONENTS = 40
FINESS_WIDTH = 9
HEADERS = ("ce_source", "ce_time", "key-id", "rules-version", "definitions-version")


class LineageError(PipelineError):
    """No such table, or no such row in it."""


class Origin(NamedTuple):
    """One resource that the row came from: its type, its event and entry, the event's offset and headers if known."""

    type: str
    event_id: str
    entry: int
    offset: int | None
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, repr=False)
class Explained:
    """A row explained. `origins` is by resource key of `Traced`, numbered from 1 for people; keys are never shown."""

    traced: Traced
    origins: Mapping[str, Origin]

    @property
    def numbers(self) -> Mapping[str, int]:
        """Return resource key → its number in what is shown."""
        return {key: number for number, key in enumerate(self.origins, start=1)}

    def __repr__(self) -> str:
        return f"Explained({self.traced.physical}, {len(self.origins)} origins)"


class _Place(NamedTuple):
    """Where to look: the hospital, an alias of the person, the values of the row, the resource in focus if any."""

    finess: str
    alias: str
    wanted: Mapping[str, Any]
    focus: str | None = None


def explain(
    state: Database, data_dir: Path, table: str, key: str, *, keys: TableKeys, contracts: Contracts
) -> list[Explained]:
    """Explain the rows of a published table that have this key. Raises `LineageError`.

    `state` is `ops` inside a transaction; the embedded log and the reference data are read in `data_dir`.
    """
    logical = logical_name(table)
    if logical not in TABLES:
        raise LineageError("table-unknown")
    found = _look(state, table, logical, key, keys)
    if found is None:
        raise LineageError("row-unknown")
    loaded = _loaded(state, found)
    convert = partial(
        person_rows,
        contract=contracts(found.finess) or Contract(finess=found.finess),
        pseudonyms=keys,
        numbers=_numbers(state, found.finess),
        reference=read_reference(data_dir),
    )
    view = _focused(loaded.view, found.focus)
    rows = trace(view, convert, table, logical=logical, wanted=found.wanted)
    if not rows:
        raise LineageError("row-unknown")
    types = {one.key: one.type for one in (*view.resources, *view.structures.values())}
    places = {**loaded.origins, **_structures(state, found.finess, view)}
    given = [dict.fromkeys((*row.needed, *(one for column in row.columns for one in column.given_by))) for row in rows]
    offsets = _offsets(data_dir, {places[one][0] for some in given for one in some})
    return [
        Explained(row, {one: _origin(types[one], places[one], offsets) for one in some})
        for row, some in zip(rows, given, strict=True)
    ]


def _look(state: Database, table: str, logical: str, key: str, keys: TableKeys) -> _Place | None:
    if logical in NUMBERED:
        column, kind = NUMBERED[logical]
        number, _, line = key.partition("/")
        found = next(_numbered(state, kind, lambda local: keys.technical(local) == number), None)
        wanted: dict[str, Any] = {column: number} | ({"CST_LIG_NUM": int(line)} if line.isdecimal() else {})
        return found and found._replace(wanted=wanted)
    if logical in DCIR:
        asked = int(key) if key.isdecimal() else -1
        found = next(_numbered(state, "MedicationDispense", lambda local: account_number(local, keys) == asked), None)
        return found and found._replace(wanted={"DCT_ORD_NUM": asked})
    if logical in ("IR_BEN_R", "IR_BEN_R_ARC"):
        return _beneficiary(state, key, keys)
    return _stay(state, year_of(table), key, logical)


def _stay(state: Database, year: int | None, key: str, logical: str) -> _Place | None:
    """Find a stay by `RSA_NUM`, a visit by `SEQ_NUM`, with the FINESS before it and the order of the row behind."""
    names = TABLES[logical].names
    number = next((name for name in ("RSA_NUM", "SEQ_NUM") if name in names), None)
    if number is None:
        raise LineageError("table-not-of-a-person")
    parts = key.split("/")
    finess = parts.pop(0) if len(parts) > 1 and len(parts[0]) == FINESS_WIDTH else None
    row = state.execute(
        "SELECT n.finess, r.person FROM rsa_number n JOIN resource r ON r.finess = n.finess AND r.key = n.stay"
        " WHERE n.year = ? AND n.rsa_num = ? AND coalesce(?, n.finess) = n.finess AND r.person IS NOT NULL",
        (year, parts[0] if number == "RSA_NUM" else _digits(parts[0]), finess),
    ).fetchone()
    if row is None:
        return None
    wanted: dict[str, Any] = {"ETA_NUM": row[0], number: parts[0]}
    order = next((name for name in TABLES[logical].primary_key if name not in wanted), None)
    if order and len(parts) > 1 and parts[1].isdecimal():
        wanted[order] = int(parts[1])
    return _Place(row[0], row[1], wanted)


def _digits(sequence: str) -> str:
    """Return the ten digits of a visit's number from its eight characters in base 36."""
    try:
        return f"{int(sequence, 36):010d}"
    except ValueError:
        return ""


def _numbered(state: Database, kind: str, is_it: Callable[[str], bool]) -> Iterator[_Place]:
    """Yield the resource whose number it is: its own, or that of one of its components."""
    listed = state.execute(
        "SELECT finess, key, person FROM resource WHERE type = ? AND body IS NOT NULL AND person IS NOT NULL", (kind,)
    ).fetchall()
    for finess, local, person in listed:
        if is_it(local):
            yield _Place(finess, person, {}, local)
    if kind == "Observation":
        for finess, local, person in listed:
            if any(is_it(f"{local}#{rank}") for rank in range(1, COMPONENTS)):
                yield _Place(finess, person, {}, local)


def _beneficiary(state: Database, key: str, keys: TableKeys) -> _Place | None:
    number = key.partition("/")[0]
    facts = state.execute(
        "SELECT finess, person, body FROM resource WHERE type = 'Basic' AND body IS NOT NULL AND person IS NOT NULL"
    )
    for finess, person, body in facts:
        if any(keys.nir_ano_17(psa) == number for psa in identifiers(orjson.loads(body), PSA)):
            return _Place(finess, person, {"BEN_NIR_PSA": number})
    return None


def _loaded(state: Database, found: _Place) -> Loaded:
    views = Views(state, found.finess)
    for person in persons(state, found.finess, [found.alias]):
        if found.alias in person.aliases:
            return views.load(person)
    raise LineageError("row-unknown")


def _focused(view: PersonView, focus: str | None) -> PersonView:
    """Leave out what cannot touch the row of one clinical resource: the other ones, unless they group or order it."""
    if focus is None:
        return view
    kept = tuple(
        one
        for one in view.resources
        if one.type not in CLINICAL
        or one.key == focus
        or "hasMember" in one.resource
        or one.type == "MedicationRequest"
    )
    return replace(view, resources=kept)


def _numbers(state: Database, finess: str) -> Callable[[str, int], str]:
    def number(stay: str, year: int) -> str:
        row = state.execute(FIND, (finess, year, stay)).fetchone()
        return str(row[0]) if row else ""

    return number


def _structures(state: Database, finess: str, view: PersonView) -> dict[str, tuple[str, int]]:
    found = {}
    for key in view.structures:
        row = state.execute("SELECT event_id, entry FROM resource WHERE finess = ? AND key = ?", (finess, key))
        found[key] = tuple(row.fetchone())
    return found


def _offsets(data_dir: Path, wanted: set[str]) -> dict[str, tuple[int, dict[str, str]]]:
    """Return event id → offset and headers, for the events that the embedded log still holds."""
    try:
        connection = sqlite.connect_read_only(data_dir / LOG)
    except Unavailable:
        return {}
    try:
        found = {}
        for offset, headers in connection.execute('SELECT "offset", headers FROM event'):
            read = orjson.loads(headers)
            if read["ce_id"] in wanted:
                found[read["ce_id"]] = (offset, {name: read[name] for name in HEADERS if name in read})
        return found
    finally:
        connection.close()


def _origin(kind: str, place: tuple[str, int], offsets: Mapping[str, tuple[int, dict[str, str]]]) -> Origin:
    offset, headers = offsets.get(place[0], (None, {}))
    return Origin(kind, place[0], place[1], offset, headers)
