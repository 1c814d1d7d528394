"""A folder of code lists (CSV) → which codes of CIM-10, CCAM, NABM, UCD, CIP exist; codings that do not are warnings.

Optional: without a folder nothing is loaded and nothing is checked. Quotes codes alone. Promise: no network.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from fhir_profiles.errors import Misconfigured
from fhir_profiles.issues import Issue, issue
from fhir_profiles.positions import choice_step

ACT_LENGTH = 7


@dataclass(frozen=True, slots=True)
class Known:
    """One nomenclature: where its list is found, in which form its codes are written, under which systems."""

    name: str
    patterns: tuple[str, ...]
    column: str
    form: str
    systems: frozenset[str]


@dataclass(frozen=True, slots=True)
class Nomenclatures:
    """The lists that were loaded: nomenclature by system, codes by nomenclature."""

    by_system: Mapping[str, Known] = field(default_factory=dict)
    codes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.by_system)

    def knows(self, system: str, code: str) -> bool | None:
        """Say whether a code exists; None when its system is of no loaded nomenclature."""
        known = self.by_system.get(system)
        return None if known is None else written(code, known.form) in self.codes[known.name]

    def issues(self, resource: Mapping[str, Any], path: str) -> Iterator[Issue]:
        """Yield a warning for each coding whose code is not in its loaded nomenclature."""
        for coding, place in _codings(resource, path):
            system, code = coding.get("system"), coding.get("code")
            if isinstance(system, str) and isinstance(code, str) and self.knows(system, code) is False:
                found = issue("code-not-in-nomenclature", f"{place}.code", nomenclature=self.by_system[system].name)
                yield replace(found, quote=code if len(code) <= 64 else None)


@cache
def known() -> tuple[Known, ...]:
    """Return the nomenclatures that a folder may hold."""
    text = (files("fhir_profiles") / "definitions" / "nomenclatures.toml").read_text(encoding="utf-8")
    return tuple(
        Known(name, tuple(one["files"]), one["column"], one["form"], frozenset(one["systems"]))
        for name, one in tomllib.loads(text).items()
    )


def load_nomenclatures(folder: Path | None) -> Nomenclatures:
    """Read the lists of a folder. Raises Misconfigured for a folder without any, or a list without its column."""
    if folder is None:
        return Nomenclatures()
    by_system: dict[str, Known] = {}
    codes: dict[str, frozenset[str]] = {}
    for one in known():
        paths = sorted(path for pattern in one.patterns for path in folder.glob(pattern))
        if paths:
            codes[one.name] = frozenset(code for path in paths for code in _read(path, one))
            by_system |= dict.fromkeys(one.systems, one)
    if not codes:
        raise Misconfigured("nomenclatures-empty", f"{folder}: no list of {', '.join(each.name for each in known())}")
    return Nomenclatures(by_system, codes)


def written(code: str, form: str) -> str:
    """Return a code as its list writes it."""
    if form == "no-dot":
        return code.replace(".", "").strip().upper()
    if form == "act":
        return code[:ACT_LENGTH].upper()
    return code.lstrip("0") if form == "digits" else code


def _read(path: Path, one: Known) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream, delimiter=";")
            column = next((name for name in rows.fieldnames or () if name in (one.column, "code")), None)
            if column is None:
                raise Misconfigured("nomenclature-column", f"{path.name}: neither {one.column} nor code is a column")
            for row in rows:
                if code := (row.get(column) or "").strip():
                    yield written(code, one.form)
    except (OSError, UnicodeDecodeError, csv.Error):
        raise Misconfigured("nomenclature-unreadable", path.name) from None


def _codings(node: object, path: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield every object that has a system and a code, with its path."""
    if isinstance(node, dict):
        if "system" in node and "code" in node:
            yield node, path
        for name, value in node.items():
            if isinstance(value, (dict, list)):
                yield from _codings(value, f"{path}.{choice_step(name)}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            if isinstance(value, (dict, list)):
                yield from _codings(value, f"{path}[{number}]")
