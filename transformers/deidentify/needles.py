"""The identified side of a bundle → what must not be found again in what leaves: names, numbers, birth dates.

Holds identities, folded, for the length of one scrub: it never shows them. The leak scanner compares with it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transformers.deidentify.aliases import identifiers

Json = Mapping[str, Any]

SHORTEST_NAME = 4
SHORTEST_NUMBER = 6
PERSONS = frozenset({"Patient", "RelatedPerson", "Person", "Practitioner"})
NUMBERED = PERSONS | {"Encounter", "Coverage"}
WORDS = re.compile(r"[^\W_]+")
BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


@dataclass(frozen=True, slots=True, repr=False)
class Needles:
    """What the identified side of a bundle holds, folded: words of names and addresses, whole numbers and dates."""

    words: frozenset[bytes]
    numbers: frozenset[bytes]

    def __repr__(self) -> str:
        return f"Needles(words={len(self.words)}, numbers={len(self.numbers)})"


def needles(resources: Iterable[Json]) -> Needles:
    """Gather what must not be found again: of persons, and the numbers of stays and coverages."""
    written: list[str] = []
    numbered: list[Any] = []
    dates: set[str] = set()
    for resource in resources:
        kind = resource.get("resourceType")
        if kind in NUMBERED:
            numbered += [resource.get("id"), resource.get("subscriberId")]
            numbered += [one.get("value") for one in identifiers(resource)]
            if kind in PERSONS:
                _add_written(resource, written)
                # not the period of a telephone: dates are never compared
                numbered += [one.get("value") for one in listed(resource.get("telecom"))]
                dates |= _dates(resource.get("birthDate"))
    words = set(name_words("\n".join(written)))  # no word reaches over a line
    numbers = dates.union(*map(_number, numbered))
    return Needles(frozenset(word.encode() for word in words), frozenset(number.encode() for number in numbers))


def _add_written(person: Json, found: list[str]) -> None:
    """Add names and addresses of a person and of the contacts."""
    for one in (person, *listed(person.get("contact"))):
        for name in listed(one.get("name")):
            for part in ("family", "given", "text"):
                add_strings(name.get(part), found)
        for address in listed(one.get("address")):
            for part in ("line", "city", "text"):
                add_strings(address.get(part), found)


def listed(value: object) -> list[dict[str, Any]]:
    """Return the objects of a list, or the one object."""
    if isinstance(value, dict):
        return [value]
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def fold(text: str) -> str:
    """Return a text without accents and case."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text)
    return BEYOND_ASCII.sub(_without_mark, plain).lower()


def _without_mark(found: re.Match[str]) -> str:
    return "" if unicodedata.combining(found[0]) else found[0]


def name_words(text: str) -> Iterator[str]:
    """Yield the words of a name or address that can be told from a code: four letters or more."""
    for word in WORDS.findall(fold(text)):
        if len(word) >= SHORTEST_NAME and word.isalpha():
            yield word


def add_strings(node: object, found: list[Any]) -> None:
    """Add every string under a JSON value."""
    if isinstance(node, str):
        found.append(node)
    elif isinstance(node, (dict, list)):
        for value in node.values() if isinstance(node, dict) else node:
            add_strings(value, found)


def _number(text: object) -> tuple[str, ...]:
    """Return a number as written and without blanks, when it is long enough to be told from a code."""
    if not isinstance(text, str) or len(text) < SHORTEST_NUMBER or text.isalpha() or not any(map(str.isdigit, text)):
        return ()
    return text, text.lower(), "".join(text.split()).lower()


def _dates(birth: object) -> set[str]:
    if not isinstance(birth, str) or len(birth) != len("AAAA-MM-JJ"):
        return set()
    year, month, day = birth[:4], birth[5:7], birth[8:]
    return {f"{year}{month}{day}", f"{day}{month}{year}", f"{day}/{month}/{year}", f"{day}.{month}.{year}"}
