"""A row → the resources that gave it, column by column. Pure: the conversion is asked again without each of them.

What a column holds is a function of a person's resources; a resource gave a value when the value changes, or the row
goes, without it. No bookkeeping in the conversion, hence nothing that could tell another story than the rows do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from transformers.snds.schema import TABLES, packaged
from transformers.snds.view import PersonRows, PersonView, Row, Staged

Convert = Callable[[PersonView], PersonRows]

CLINICAL = frozenset({"Observation", "MedicationRequest", "MedicationAdministration", "MedicationDispense"})
MOST_TRIED = 600
NAMING = ("ETA_NUM", "RSA_NUM", "SEQ_NUM", "CCAM_COD", "ACT_COD", "UCD_UCD_COD", "DELAI")


class Meaning(NamedTuple):
    """Where a column comes from, as the facts page says: FHIR elements, and the rule."""

    elements: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One value of a row. `given_by` are the keys of the resources without which it would be another; `named` are

    those that the whole row needs and whose type the column's elements name.
    """

    name: str
    label: str
    value: Any
    meaning: Meaning
    given_by: tuple[str, ...]
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Traced:
    """One row explained. `needed` are the resources without which there is no row; `tried` says how many were asked."""

    physical: str
    columns: tuple[Column, ...]
    needed: tuple[str, ...]
    tried: int

    def __repr__(self) -> str:
        return f"Traced({self.physical})"


def trace(
    view: PersonView, convert: Convert, physical: str, *, logical: str, wanted: Mapping[str, Any]
) -> list[Traced]:
    """Explain the rows of a table that hold the wanted values in these columns."""
    names = TABLES[logical].names
    found = [row for row in convert(view).tables.get(physical, ()) if _matches(names, row, wanted)]
    tried = _candidates(view, logical)[:MOST_TRIED]
    without = {one.key: convert(_without(view, one)).tables.get(physical, ()) for one in tried}
    key = [names.index(name) for name in _key(logical)]
    types = {one.key: one.type for one in tried}
    return [_traced(physical, logical, row, [names[place] for place in key], without, types) for row in found]


def _traced(
    physical: str,
    logical: str,
    row: Row,
    key: Sequence[str],
    without: Mapping[str, Sequence[Row]],
    types: Mapping[str, str],
) -> Traced:
    names = TABLES[logical].names
    wanted = dict(zip(names, row, strict=True))
    same = {name: wanted[name] for name in key}
    needed: list[str] = []
    changed: dict[str, list[str]] = {name: [] for name in names}
    for resource, rows in without.items():
        left = next((one for one in rows if _matches(names, one, same)), None)
        if left is None:
            needed.append(resource)
            continue
        for name, before, after in zip(names, row, left, strict=True):
            if before != after:
                changed[name].append(resource)
    labels = {one.name: one.label_fr for one in TABLES[logical].columns}
    columns = []
    for name in names:
        meaning = meanings().get((logical, name), Meaning())
        named = tuple(one for one in needed if types[one] in meaning.elements)
        columns.append(Column(name, labels[name], wanted[name], meaning, tuple(changed[name]), named))
    return Traced(physical, tuple(columns), tuple(needed), len(without))


def _candidates(view: PersonView, logical: str) -> list[Staged]:
    """Return the resources worth leaving out: those of the stay first, the many clinical ones last."""
    everything = [*view.resources, *view.structures.values()]
    kinds = set(re.findall(r"[A-Z][A-Za-z]+", " ".join(one.elements for one in _of_table(logical))))
    return sorted(everything, key=lambda one: (one.type in CLINICAL, one.type not in kinds, one.key))


def _without(view: PersonView, one: Staged) -> PersonView:
    if one.key in view.structures:
        left = {key: structure for key, structure in view.structures.items() if key != one.key}
        return replace(view, structures=left)
    return replace(view, resources=tuple(other for other in view.resources if other.key != one.key))


def _matches(names: Sequence[str], row: Row, wanted: Mapping[str, Any]) -> bool:
    return all(row[names.index(name)] == value for name, value in wanted.items())


def _key(logical: str) -> tuple[str, ...]:
    """Return the columns that tell a row: the primary key, else all that name a stay and a code."""
    table = TABLES[logical]
    if table.primary_key:
        return table.primary_key
    return tuple(name for name in NAMING if name in table.names)


def _of_table(logical: str) -> Iterator[Meaning]:
    return (meaning for (table, _), meaning in meanings().items() if table == logical)


@cache
def meanings() -> Mapping[tuple[str, str], Meaning]:
    """Return what the facts page says of each column."""
    found = {}
    for line in packaged("lineage.tsv").splitlines()[1:]:
        table, column, elements, rule = (*line.split("\t"), "", "")[:4]
        found[table, column] = Meaning(elements, rule)
    return found


def in_french(meaning: Meaning) -> Meaning:
    """Return the texts of a meaning in French; element paths and codes stay as they are."""
    french = _french()
    return Meaning(french.get(meaning.elements, meaning.elements), french.get(meaning.rule, meaning.rule))


@cache
def _french() -> Mapping[str, str]:
    return dict(line.split("\t") for line in packaged("lineage_fr.tsv").splitlines()[1:])
