"""rules.toml → a rule book: for each type, which action each listed element gets, and why others stay out.

Reads and names, decides nothing: `rule_checks` compares the book with the definitions, `projection` compiles it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from fhir_profiles.errors import Misconfigured
from transformers.deidentify.checksums import sct_is_right

ACTIONS = (
    "keep", "code", "minute", "day", "month", "stamp", "counter", "reference", "identifier", "department", "mode",
    "digits", "unit", "used",
)  # fmt: skip
SECTIONS = frozenset(
    {"version", "actions", "reasons", "containers", "dropped-types", "extensions", "used-extensions"}
    | {"dropped-extensions", "systems", "units", "identity-codes"}
)
PATTERNS: Mapping[str, str] = {
    "cim10": r"[A-Za-z][0-9]{2}\.?[0-9]{0,4}(?:\+[0-9]{1,2})?[+*]?",
    "ccam": r"[A-Za-z]{4}[0-9]{3}[0-9·.•_ \u00a0-]{0,8}[A-Z0-9]?",
    "icd": r"[A-Z0-9]{2,4}(?:\.[A-Z0-9]{1,4})?(?:[&/][A-Z0-9.]{2,9})*",
    "loinc": r"(?:LA|LP|LL|LG|MTHU)?[0-9]{1,7}-[0-9]",
    "ucum": r"(?=.{1,32}\Z)(?![0-9]{5})[0-9A-Za-z%µ\[\]{}()_./*^'+-]+",
    "atc": r"[A-Z](?:[0-9]{2}(?:[A-Z](?:[A-Z](?:[0-9]{2})?)?)?)?",
    "drug": r"[0-9]{7,8}|3400[0-9]{9}",
    "edqm": r"(?:[A-Z]{3}-)?[0-9]{4,8}",
    "nabm": r"[0-9]{4}",
    "orpha": r"(?:ORPHA:?)?[0-9]{1,6}",
    "role": r"DP|DR|DA|DAS|DASS|DAD|DASC",
    "mode": r"[0678][1-8R]?|[9NO]",
    "ghm": r"[0-9]{2}[A-Z][0-9]{2}[0-9A-Z]?",
}
SHAPES: Mapping[str, Callable[[str], object]] = {
    "sct": sct_is_right,
    **{name: re.compile(pattern).fullmatch for name, pattern in PATTERNS.items()},
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to one element: an action, or `drop` with the key of a reason."""

    action: str
    reason: str = ""

    @property
    def leaves(self) -> bool:
        """Say whether something of the element leaves."""
        return self.action not in ("drop", "used")


@dataclass(frozen=True, slots=True)
class ExtensionRule:
    """An extension that leaves: where it may stand, and what of its value or parts."""

    url: str
    on: tuple[str, ...]
    values: Mapping[str, Rule]
    parts: Mapping[str, Mapping[str, Rule]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Systems:
    """Code systems whose codes leave: by published list, by shape, by a list of the rules."""

    publishers: tuple[str, ...]
    never: Mapping[str, str]
    shapes: Mapping[str, str]
    lists: Mapping[str, frozenset[str]]
    expected: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The whole file. `types` maps type → path → rule; `texts` holds the words for actions and reasons."""

    types: Mapping[str, Mapping[str, Rule]]
    containers: Mapping[str, str]
    dropped_types: Mapping[str, str]
    extensions: Mapping[str, ExtensionRule]
    used_extensions: Mapping[str, str]
    dropped_extensions: Mapping[str, str]
    systems: Systems
    units: frozenset[str]
    identity_codes: frozenset[str]
    texts: Mapping[str, Mapping[str, str]]

    def rule(self, type_name: str, path: str) -> Rule | None:
        """Return the rule of an element: its own, else that of the element above it that is dropped or used."""
        listed = self.types[type_name]
        found = listed.get(path)
        while found is None and "." in path:
            path = path.rpartition(".")[0]
            found = listed.get(path)
        return found


def packaged_text() -> str:
    """Return the rules of the product."""
    return (files("transformers.deidentify") / "rules.toml").read_text(encoding="utf-8")


def read_book(text: str) -> RuleBook:
    """Read a rule file. Raises Misconfigured for what cannot be understood."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise Misconfigured("rules-malformed", "rules.toml is not TOML") from None
    if raw.get("version") != 1:
        raise Misconfigured("rules-malformed", "rules.toml: version = 1 is expected")
    reasons = frozenset(raw["reasons"])
    return RuleBook(
        types={name: _table(name, table, reasons) for name, table in raw.items() if name not in SECTIONS},
        containers=_reasoned("containers", raw["containers"], reasons),
        dropped_types=_reasoned("dropped-types", raw["dropped-types"], reasons),
        extensions={url: _extension(url, one, reasons) for url, one in raw["extensions"].items()},
        used_extensions={url: use for use, urls in raw["used-extensions"].items() for url in urls},
        dropped_extensions=_reasoned("dropped-extensions", raw["dropped-extensions"], reasons),
        systems=_systems(raw["systems"], reasons),
        units=frozenset(raw["units"]["printed"]),
        identity_codes=frozenset(raw["identity-codes"]["loinc"]),
        texts=raw["actions"] | raw["reasons"],
    )


def _table(name: str, table: Mapping[str, Any], reasons: frozenset[str]) -> dict[str, Rule]:
    found: dict[str, Rule] = {}
    for path, rule in _lines(name, table, reasons):
        if path in found:
            raise Misconfigured("rules-twice", f"rules.toml: {name}.{path} has two rules")
        found[path] = rule
    return found


def _lines(name: str, table: Mapping[str, Any], reasons: frozenset[str]) -> Iterator[tuple[str, Rule]]:
    for action, listed in table.items():
        if action == "drop":
            for path, reason in _reasoned(name, listed, reasons).items():
                yield path, Rule("drop", reason)
        elif action in ACTIONS:
            yield from ((path, Rule(action)) for path in listed)
        else:
            raise Misconfigured("rules-unknown-action", f"rules.toml: {name}: no action is called {action}")


def _reasoned(place: str, table: Mapping[str, Any], reasons: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for reason, listed in table.items():
        if reason not in reasons:
            raise Misconfigured("rules-unknown-reason", f"rules.toml: {place}: no reason is called {reason}")
        for one in listed:
            if one in found:
                raise Misconfigured("rules-twice", f"rules.toml: {place}: {one} has two rules")
            found[one] = reason
    return found


def _extension(url: str, table: Mapping[str, Any], reasons: frozenset[str]) -> ExtensionRule:
    plain = {key: value for key, value in table.items() if key not in ("on", "parts")}
    parts = {part: _table(f"{url}#{part}", one, reasons) for part, one in table.get("parts", {}).items()}
    return ExtensionRule(url, tuple(table["on"]), _table(url, plain, reasons), parts)


def _systems(table: Mapping[str, Any], reasons: frozenset[str]) -> Systems:
    unknown = sorted({*table["shapes"], *table["expected"]} - set(SHAPES))
    if unknown:
        raise Misconfigured("rules-unknown-shape", f"rules.toml: systems.shapes: no shape is called {unknown[0]}")
    shapes: dict[str, str] = {}
    for shape, urls in table["shapes"].items():
        shapes |= dict.fromkeys(urls, shape)
    expected = {path: shape for shape, paths in table["expected"].items() for path in paths}
    return Systems(
        publishers=tuple(table["published"]),
        never=_reasoned("systems.never", table["never"], reasons),
        shapes=shapes,
        lists={url: frozenset(codes) for url, codes in table["lists"].items()},
        expected=expected,
    )
