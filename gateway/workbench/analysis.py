"""Bytes in an editor → issues with their place, what leaves element by element, rows with their source. Pure.

The same line as `serve` (gateway/preview.py), under keys that live for one call. Holds posted values for as long as
the page shows them; nothing is logged or written.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import orjson

from fhir_profiles.issues import Issue, Language, repair, text
from fhir_profiles.positions import locate, steps_of
from fhir_profiles.validator import FrenchProfiles
from gateway.house import Yardstick
from gateway.preview import Bench, Look, look, rows_of
from streaming.layout import logical_name
from transformers.contract import Contract
from transformers.deidentify.values import DeidentifiedBundle
from transformers.snds.lineage import Meaning, in_french, meanings
from transformers.snds.quarantine import REASONS
from transformers.snds.schema import TABLES
from transformers.snds.view import Row, StayOutcome

FACT = "Basic"
SHOWN = 240
INDEX = re.compile(r"\[[0-9]+\]")
ELEMENT = re.compile(r"[A-Z][A-Za-z]+(?:\.[a-z][A-Za-z]*)+")


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """One issue as the page shows it."""

    severity: str
    code: str
    sentence: str
    repair: str
    expression: str
    line: int | None
    column: int | None
    profile: str
    rule: str


@dataclass(frozen=True, slots=True, repr=False)
class Leaving:
    """One element that was sent: its value, what leaves in its place, which rule decided."""

    entry: int
    path: str
    before: str
    after: str
    fate: str
    rule: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Stay:
    """What would become of one stay."""

    status: str
    reason: str
    repair: str


@dataclass(frozen=True, slots=True, repr=False)
class Analysis:
    """Everything that the three views show of one document."""

    issues: tuple[Issue, ...]
    found: tuple[Found, ...]
    leaving: tuple[Leaving, ...]
    tables: Mapping[str, Sequence[Row]]
    stays: tuple[Stay, ...]
    refused: bool
    milliseconds: float
    size: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Analysis({len(self.found)} issues)"


def bench_of(contract: Contract, yardstick: Yardstick, french_profiles: FrenchProfiles) -> Bench:
    """Return what one dry run works with: the hospital's contract, test identities welcome, random keys."""
    tried = replace(contract, french_profiles=french_profiles, test=True)
    return Bench(tried, yardstick.validator, yardstick.rules, yardstick.limits)


def analyse(content: bytes, bench: Bench, *, language: Language, profiles: Sequence[str] = ()) -> Analysis:
    """Run one document through the whole line, in memory."""
    started = time.perf_counter()
    seen = look(content, bench, explain=True, profiles=profiles)
    rows = rows_of([seen], bench)
    found = tuple(_found(one, language) for one in seen.issues)
    leaving = tuple(_leaving(content, seen))
    counts = {fate: sum(one.fate == fate for one in leaving) for fate in ("kept", "changed", "dropped")}
    stays = tuple(_stay(one, language) for one in rows.stays if one.status != "none")
    took = (time.perf_counter() - started) * 1000
    return Analysis(seen.issues, found, leaving, rows.tables, stays, seen.refuses, took, len(content), counts)


def _stay(one: StayOutcome, language: Language) -> Stay:
    told = REASONS.get(one.reason or "")
    return Stay(one.status, one.reason or "", getattr(told, language) if told else "")


def shareable(analysis: Analysis, language: Language) -> bytes:
    """Return a case that holds no value of the document: codes, places, rules, and what became of which element."""
    case = {
        "issues": [
            {"severity": one.severity, "code": one.code, "expression": one.expression, "rule": one.rule,
             "profile": one.profile}
            for one in analysis.found
        ],
        "elements": [{"path": one.path, "fate": one.fate, "rule": one.rule} for one in analysis.leaving],
        "tables": {name: len(rows) for name, rows in analysis.tables.items()},
        "stays": [{"status": one.status, "reason": one.reason} for one in analysis.stays],
        "language": language,
    }  # fmt: skip
    return orjson.dumps(case, option=orjson.OPT_INDENT_2)


def place_of_column(content: bytes, table: str, column: str) -> int | None:
    """Return the line of the first element that a column comes from, None when none of them was sent."""
    meaning = meanings().get((logical_name(table), column), Meaning())
    try:
        root = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    for path in ELEMENT.findall(meaning.elements):
        kind, _, rest = path.partition(".")
        for found, place in _places(root):
            if found == kind and _value(root, f"{place}.{rest}") is not None:
                expression = f"{place}.{rest}"
                return locate(content, [expression])[expression][0]
    return None


def columns_of(table: str, language: Language) -> list[tuple[str, str, Meaning]]:
    """Return name, French label and meaning of the columns of a physical table."""
    logical = logical_name(table)
    described = [(one, meanings().get((logical, one.name), Meaning())) for one in TABLES[logical].columns]
    return [(one.name, one.label_fr, in_french(meant) if language == "fr" else meant) for one, meant in described]


def _places(root: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 — any JSON value
    """Yield type and FHIRPath of each resource of a document."""
    if not isinstance(root, dict):
        return
    if root.get("resourceType") != "Bundle":
        yield str(root.get("resourceType")), str(root.get("resourceType"))
        return
    entries = root.get("entry")
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            yield str(resource.get("resourceType")), f"Bundle.entry[{number}].resource"


def _found(one: Issue, language: Language) -> Found:
    return Found(
        severity=one.severity,
        code=one.code,
        sentence=text(one, language, quoting=True),
        repair=repair(one, language),
        expression=one.expression,
        line=one.line,
        column=one.column,
        profile=one.profile or "",
        rule=one.rule or "",
    )


def _leaving(content: bytes, seen: Look) -> Iterator[Leaving]:
    if seen.scrubbed is None:
        return
    root = orjson.loads(content)
    after = dict(_after(seen.scrubbed.bundles))
    for entry, path, action, rule in seen.scrubbed.explained:
        before = _value(root, path)
        left = after.get(entry)
        relative = path.partition(".resource.")[2] or path.partition(".")[2]
        value = _value(left, f"x.{relative}") if left is not None and action != "drop" else None
        fate = "dropped" if action == "drop" else "kept" if value is not None and value == before else "changed"
        kind = str(_value(root, path.partition(".resource.")[0] + ".resource.resourceType") or root.get("resourceType"))
        fed = columns_fed(f"{kind}.{INDEX.sub('', relative)}")
        yield Leaving(entry, path, _shown(before), "" if fate == "dropped" else _shown(value), fate, rule, fed)


@cache
def columns_fed(element: str) -> tuple[str, ...]:
    """Return the columns that come from an element (`Encounter.period`), or from what is beneath or above it."""
    return tuple(
        name
        for name, paths in _sources()
        if any(one == element or one.startswith(f"{element}.") or element.startswith(f"{one}.") for one in paths)
    )


@cache
def _sources() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the FHIR elements that each column names."""
    return tuple(
        (f"{table}.{column}", tuple(ELEMENT.findall(meaning.elements)))
        for (table, column), meaning in meanings().items()
    )


def _after(bundles: Sequence[DeidentifiedBundle]) -> Iterator[tuple[int, Any]]:
    """Yield entry index and what leaves of it. Facts and contained resources come besides and belong to no entry."""
    for bundle in bundles:
        resources = [one["resource"] for one in orjson.loads(bundle.body)["entry"]]
        own = [one for one in resources if one["resourceType"] != FACT]
        if len(own) == len(bundle.indices):
            yield from zip(bundle.indices, own, strict=True)


def _value(root: Any, path: str) -> Any:  # noqa: ANN401 — any JSON value
    """Return the value at a FHIRPath of names and indices, None when there is none."""
    node = root
    for step in steps_of(path):
        if isinstance(node, dict) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            return None
    return node


def _shown(value: Any) -> str:  # noqa: ANN401 — any JSON value
    if value is None:
        return ""
    written = value if isinstance(value, str) else orjson.dumps(value).decode()
    return written if len(written) <= SHOWN else written[: SHOWN - 1] + "…"
