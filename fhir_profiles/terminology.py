"""ValueSet definitions → expansions with O(1) membership; says what cannot be enumerated offline.

Pure: works on loaded definitions, no network. Patterns of packages run on RE2 (linear) or not at all.
Promise: a code is never called wrong because its system is missing or cut here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import re2

Json = Mapping[str, Any]
Find = Callable[[str, str], "Json | None"]
Codes = dict[str, set[str]]

COMMUNES = "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM"
DEEPEST = 32


def _language_shape(code: str) -> bool:
    first, *rest = code.split("-")
    subtags = all(0 < len(part) <= 8 and part.isascii() and part.isalnum() for part in rest)
    return subtags and first.isascii() and ((first.isalpha() and 2 <= len(first) <= 3) or first in ("x", "i"))


def _media_type_shape(code: str) -> bool:
    kind, slash, subtype = code.partition(";")[0].strip().partition("/")
    return bool(slash and kind and subtype) and not any(character.isspace() for character in kind + subtype)


def _unit_shape(code: str) -> bool:
    return code.isascii() and code.isprintable() and " " not in code


def _commune_shape(code: str) -> bool:
    return len(code) == 5 and code.isascii() and (code.isdigit() or (code[:2] in ("2A", "2B") and code[2:].isdigit()))


def _country_shape(code: str) -> bool:
    return 2 <= len(code) <= 6 and code.isascii() and code.replace("-", "").isalnum()


def _currency_shape(code: str) -> bool:
    return len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()


# Systems too big or too dynamic to carry: the form of the code is checked instead of its presence in a list.
SHAPES: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "urn:ietf:bcp:47": _language_shape,
        "urn:ietf:bcp:13": _media_type_shape,
        "http://unitsofmeasure.org": _unit_shape,
        "urn:iso:std:iso:3166": _country_shape,
        "urn:iso:std:iso:4217": _currency_shape,
        COMMUNES: _commune_shape,
    }
)


@dataclass(frozen=True, slots=True)
class Expansion:
    """The codes of a value set. `open` systems belong to it in whole or in part, but cannot be enumerated here."""

    url: str
    systems: Mapping[str, frozenset[str]]
    open: frozenset[str] = frozenset()
    unknown: bool = False
    codes: frozenset[str] = field(default_factory=frozenset)

    @property
    def enumerable(self) -> bool:
        """Say whether every code of the value set is known."""
        return not self.open and not self.unknown

    def contains(self, system: str | None, code: str) -> bool | None:
        """Say whether a coding is a member; None when this cannot be known here."""
        known = self.systems.get(system or "")
        if known is not None and code in known:
            return True
        if system in self.open:
            shape = SHAPES.get(system or "")
            if shape is None:
                return None
            return True if shape(code) else False  # noqa: SIM210 — three answers, spelled out
        return None if self.unknown else False

    def contains_code(self, code: str) -> bool | None:
        """Say whether a bare code is a member of one of its systems."""
        if code in self.codes:
            return True
        answers = [self.contains(system, code) for system in sorted(self.open)]
        if True in answers:
            return True
        return None if None in answers or self.unknown else False


def expansion(url: str, systems: Codes, open_systems: set[str], *, unknown: bool = False) -> Expansion:
    """Freeze what an expansion found."""
    frozen = {system: frozenset(codes) for system, codes in sorted(systems.items())}
    every = frozenset(code for codes in frozen.values() for code in codes)
    return Expansion(url, frozen, frozenset(open_systems), unknown, every)


def expand(url: str, find: Find) -> Expansion:
    """Expand a value set by its canonical. A value set that is not loaded is unknown, never empty."""
    found = _Expander(find).value_set(url, depth=0)
    return expansion(url.partition("|")[0], found.systems, found.open, unknown=found.unknown)


@dataclass(slots=True)
class _Found:
    systems: Codes = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    unknown: bool = False

    def add(self, other: _Found) -> None:
        for system, codes in other.systems.items():
            self.systems.setdefault(system, set()).update(codes)
        self.open |= other.open
        self.unknown |= other.unknown

    def keep(self, other: _Found) -> None:
        """Keep the codes that the other also has; what either cannot enumerate stays open."""
        if other.unknown:
            self.unknown = True
            return
        for system in list(self.systems):
            if system not in other.open:
                self.systems[system] &= other.systems.get(system, set())
        self.open = {system for system in self.open if system in other.open or system in other.systems}

    def remove(self, other: _Found) -> None:
        for system, codes in other.systems.items():
            self.systems.get(system, set()).difference_update(codes)


class _Expander:
    """Expands each value set once, whatever includes it; one that includes itself is unknown there."""

    def __init__(self, find: Find) -> None:
        self.find = find
        self.known: dict[str, _Found] = {}

    def value_set(self, url: str, *, depth: int) -> _Found:
        if url not in self.known:
            self.known[url] = _Found(unknown=True)
            self.known[url] = self._value_set(url, depth=depth)
        return self.known[url]

    def _value_set(self, url: str, *, depth: int) -> _Found:
        definition = self.find("ValueSet", url)
        if definition is None or depth > DEEPEST:
            return _Found(unknown=True)
        found = _Found()
        compose = definition.get("compose")
        if compose:
            for include in compose.get("include", ()):
                found.add(self._include(include, depth))
            for exclude in compose.get("exclude", ()):
                found.remove(self._include(exclude, depth))
        published = self._published(definition)
        if published is not None and (compose is None or found.open or found.unknown):
            return published if not (published.open or published.unknown) else _joined(found, published)
        if compose is None and published is None:
            found.unknown = True
        return found

    def _published(self, definition: Json) -> _Found | None:
        """Read a published expansion; one that was cut leaves its systems open."""
        raw = definition.get("expansion")
        if raw is None:
            return None
        found = _Found()
        count = 0
        for one in _flat(raw.get("contains", ()), "contains"):
            count += 1
            if not one.get("abstract") and "code" in one:
                found.systems.setdefault(one.get("system", ""), set()).add(one["code"])
        if raw.get("total", count) > count:
            found.open |= set(found.systems)
        return found

    def _include(self, include: Json, depth: int) -> _Found:
        found = _Found()
        system = include.get("system")
        if system:
            if "concept" in include:
                found.systems[system] = {one["code"] for one in include["concept"]}
            else:
                found = self._system(system, include.get("version"), include.get("filter", ()))
        for index, url in enumerate(include.get("valueSet", ())):
            nested = self.value_set(url, depth=depth + 1)
            if index == 0 and not system:
                found.add(nested)
            else:
                found.keep(nested)
        return found

    def _system(self, system: str, version: str | None, filters: Sequence[Json]) -> _Found:
        definition = self.find("CodeSystem", f"{system}|{version}" if version else system)
        if definition is None or definition.get("content") != "complete":
            found = _Found(open={system})
            if definition is not None and not filters and definition.get("content") == "fragment":
                found.systems[system] = {one["code"] for one in _flat(definition.get("concept", ()), "concept")}
            return found
        concepts = _Concepts(definition)
        codes = set(concepts.parents)
        for one in filters:
            kept = concepts.matching(one)
            if kept is None:
                return _Found(open={system})
            codes &= kept
        return _Found(systems={system: codes})


class _Concepts:
    """A complete code system: parents and properties by code."""

    def __init__(self, definition: Json) -> None:
        self.parents: dict[str, set[str]] = {}
        self.properties: dict[str, list[Json]] = {}
        self._walk(definition.get("concept", ()), None)

    def _walk(self, concepts: Sequence[Json], parent: str | None) -> None:
        for concept in concepts:
            code = concept["code"]
            above = self.parents.setdefault(code, set())
            if parent is not None:
                above.add(parent)
            self.properties[code] = concept.get("property", [])
            for one in self.properties[code]:
                if one["code"] in ("parent", "subsumedBy") and "valueCode" in one:
                    above.add(one["valueCode"])
            self._walk(concept.get("concept", ()), code)

    def matching(self, criterion: Json) -> set[str] | None:
        """Return the codes that a filter keeps; None when the filter is not one we know."""
        name, operator, value = criterion["property"], criterion["op"], criterion["value"]
        if name in ("concept", "code"):
            return self._by_code(operator, value)
        if operator == "exists":
            has = {code for code, listed in self.properties.items() if any(one["code"] == name for one in listed)}
            return has if value == "true" else set(self.parents) - has
        wanted = _test(operator, value)
        if wanted is None:
            return None
        return {
            code
            for code, listed in self.properties.items()
            if any(one["code"] == name and wanted(_text(one)) for one in listed)
        }

    def _by_code(self, operator: str, value: str) -> set[str] | None:
        if operator == "is-a":
            return self._below(value) | ({value} & set(self.parents))
        if operator == "descendent-of":
            return self._below(value)
        if operator == "is-not-a":
            return set(self.parents) - self._below(value) - {value}
        if operator == "generalizes":
            return self._above(value) | {value}
        wanted = _test(operator, value)
        return None if wanted is None else {code for code in self.parents if wanted(code)}

    def _below(self, ancestor: str) -> set[str]:
        children: dict[str, list[str]] = {}
        for code, parents in self.parents.items():
            for parent in parents:
                children.setdefault(parent, []).append(code)
        found: set[str] = set()
        waiting = [ancestor]
        while waiting:
            for child in children.get(waiting.pop(), ()):
                if child not in found:
                    found.add(child)
                    waiting.append(child)
        return found

    def _above(self, code: str) -> set[str]:
        found: set[str] = set()
        waiting = [code]
        while waiting:
            for parent in self.parents.get(waiting.pop(), ()):
                if parent not in found:
                    found.add(parent)
                    waiting.append(parent)
        return found


def _test(operator: str, value: str) -> Callable[[str], bool] | None:
    if operator == "=":
        return value.__eq__
    if operator == "in":
        return {one.strip() for one in value.split(",")}.__contains__
    if operator == "not-in":
        excluded = {one.strip() for one in value.split(",")}
        return lambda text: text not in excluded
    if operator == "regex":
        try:
            pattern = re2.compile(value)
        except re2.error:
            return None
        return lambda text: pattern.fullmatch(text) is not None
    return None


def _text(coded: Json) -> str:
    if "valueBoolean" in coded:
        return "true" if coded["valueBoolean"] else "false"
    return str(coded.get("valueCode", ""))


def _flat(listed: Sequence[Json], children: str) -> Iterator[Json]:
    for one in listed:
        yield one
        yield from _flat(one.get(children, ()), children)


def _joined(one: _Found, other: _Found) -> _Found:
    one.add(other)
    return one
