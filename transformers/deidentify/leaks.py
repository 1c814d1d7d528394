"""Encoded, de-identified bytes → strings that still look identifying (DESIGN §12): a second, independent look.

Reads what would leave, not what the rules meant to do. Compares with shapes (NIR, RPPS, FINESS, telephone, e-mail, url)
and with the bundle's own names, addresses and numbers. Never says what it found, only where. Promise: P13.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import re2

from fhir_profiles.french.identifiers import FINESS as FINESS_SYSTEM
from fhir_profiles.french.identifiers import FR_V2_0203
from fhir_profiles.french.luhn import luhn_is_right
from fhir_profiles.french.nir import parse_nir
from transformers.deidentify.aliases import identifiers
from transformers.deidentify.checksums import sct_is_right
from transformers.deidentify.codings import VERSION
from transformers.deidentify.elements import Elements
from transformers.deidentify.rulebook import RuleBook

Json = Mapping[str, Any]

PSEUDONYM_LENGTHS = frozenset({22, 43})
AFTER_MONTH = frozenset({b"-", b""})
REMEMBERED = 1 << 14
SHORTEST_NAME = 4
SHORTEST_NUMBER = 6
PERSONS = frozenset({"Patient", "RelatedPerson", "Person", "Practitioner"})
NUMBERED = PERSONS | {"Encounter", "Coverage"}
SUSPECT = re2.compile(rb"(?m)^(?:[0-9][0-9AB .]{8,24}|[0-9+(][0-9 ().+-]{9,20}|.*@.*|[A-Za-z]{3,6}:.*)$")
WORDS = re.compile(r"[^\W_]+")
BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
BLANKS = re.compile(r"\s+")
PHONE = re.compile(r"(?:\+33|0033|0)[1-9][0-9]{8}", re.ASCII)
RPPS = re.compile(r"8?10[0-9]{9}", re.ASCII)
FINESS = re.compile(r"(?:[0-9]{2}|2[AB])[0-9]{7}", re.ASCII)
SEPARATORS = str.maketrans("", "", " ().-")
# One byte to one byte: letters in lower case, digits, and everything outside ASCII; the rest is a blank.
FOLDING = bytes(
    byte if byte >= 0x80 or chr(byte).isalnum() else 0x20 for byte in range(256)
).lower()  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class Needles:
    """What the identified side of a bundle holds, folded: words of names and addresses, whole numbers and dates."""

    words: frozenset[bytes]
    numbers: frozenset[bytes]

    def __repr__(self) -> str:
        return f"Needles(words={len(self.words)}, numbers={len(self.numbers)})"


class Scanner:
    """Looks at bodies of one scrub. `public` are strings that stand in published definitions or in the rules."""

    def __init__(
        self,
        public: frozenset[bytes],
        resources: Iterable[Json],
        *,
        expected: Sequence[Collection[str]] = (),
        harmless: set[bytes] | None = None,
    ) -> None:
        """`expected` are live collections of what leaves in clear by agreement: FINESS, units, code systems.

        `harmless` is what earlier scans found to have no suspect shape: codes come again and again. Names and numbers
        of the bundle are compared with these too.
        """
        self._public = public
        self._resources = resources
        self._expected = expected
        self._harmless = harmless if harmless is not None else set()
        self._found: Needles | None = None

    def is_clean(self, encoded: Iterable[bytes]) -> bool:
        """Say whether nothing in encoded resources looks identifying.

        One resource at a time: its strings stay in the processor's cache, half the time of one body.
        """
        every: set[bytes] = set()
        for one in encoded:
            every.update(one.split(b'"')[1::2])  # no string that leaves holds a quote: see the shapes of `rulebook`
        fresh = every - self._public
        # Dates are never compared (every newborn enters on its birth date), pseudonyms would match by chance one day.
        known = fresh & self._harmless
        unknown = [
            one
            for one in fresh - known
            if len(one) not in PSEUDONYM_LENGTHS
            and (one[4:5] != b"-" or not one[:4].isdigit() or one[7:8] not in AFTER_MONTH)
        ]
        joined = b"\n".join([*known, *unknown])
        plain = joined if joined.isascii() else fold(joined.decode("utf-8", "replace")).encode()
        found = self._found
        if found is None:
            found = self._found = needles(self._resources)
        return (
            found.words.isdisjoint(plain.translate(FOLDING).split())
            and not self._has_number(found.numbers, fresh)
            and not self._has_number(found.numbers, joined.lower().split(b"\n"))
            and not self._has_shape(unknown)
        )

    def _has_shape(self, unknown: Collection[bytes]) -> bool:
        suspect = {
            one for one in SUSPECT.findall(b"\n".join(unknown)) if looks_identifying(one.decode("utf-8", "replace"))
        }
        if len(self._harmless) >= REMEMBERED:
            self._harmless.clear()
        self._harmless.update(one for one in unknown if one not in suspect)
        return any(not self._is_expected(one.decode("utf-8", "replace")) for one in suspect)

    def _has_number(self, numbers: frozenset[bytes], texts: Collection[bytes]) -> bool:
        if numbers.isdisjoint(texts):
            return False
        return any(not self._is_expected(one.decode()) for one in numbers.intersection(texts))

    def _is_expected(self, text: str) -> bool:
        return any(text in known for known in self._expected)

    def leaks_in(self, content: Json) -> Iterator[str]:
        """Yield the paths of what looks identifying in one resource. Only names of elements, never a value."""
        for path, value in leaves(content, str(content.get("resourceType", ""))):
            if not self.is_clean([orjson.dumps([value])]):
                yield path


def public_strings(book: RuleBook, elements: Elements) -> frozenset[bytes]:
    """Return every string that definitions and rules publish: names of elements and types, systems, listed codes."""
    found = {f"value{kind}" for kind in ("Code", "Date", "Reference", "String", "UnsignedInt", "PositiveInt")}
    found |= {"resourceType", "Bundle", "collection", "entry", "resource", "timestamp", "Basic", "url", "tag"}
    found |= {part for paths in elements.types.values() for path in paths for part in path.split(".")}
    found |= set(elements.types) | set(elements.published) | set(book.systems.shapes) | set(book.systems.lists)
    found |= {code for codes in elements.published.values() for code in codes}
    found |= {code for codes in book.systems.lists.values() for code in codes}
    found |= {code for table in elements.types.values() for one in table.values() for code in one.values or ()}
    for url, rule in book.extensions.items():
        found |= {url, *rule.values, *rule.parts, *(name for part in rule.parts.values() for name in part)}
    return frozenset(text.encode() for text in found | book.units | OURS | {FINESS_SYSTEM, FR_V2_0203})


def needles(resources: Iterable[Json]) -> Needles:
    """Gather what must not be found again: of persons, and the numbers of stays and coverages."""
    words: set[str] = set()
    numbers: set[str] = set()
    for resource in resources:
        kind = resource.get("resourceType")
        if kind in PERSONS:
            for text in _written(resource):
                words.update(name_words(text))
            for one in listed(resource.get("telecom")):
                numbers.update(_number(one.get("value")))  # not its period: dates are never compared
            numbers |= _dates(resource.get("birthDate"))
        if kind in NUMBERED:
            for value in (resource.get("id"), resource.get("subscriberId")):
                numbers.update(_number(value))
            for one in identifiers(resource):
                numbers.update(_number(one.get("value")))
    return Needles(frozenset(word.encode() for word in words), frozenset(number.encode() for number in numbers))


def _written(person: Json) -> Iterator[str]:
    """Yield names and addresses of a person and of the contacts."""
    for one in (person, *listed(person.get("contact"))):
        for name in listed(one.get("name")):
            yield from strings([name.get("family"), name.get("given"), name.get("text")])
        for address in listed(one.get("address")):
            yield from strings([address.get("line"), address.get("city"), address.get("text")])


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


def looks_identifying(text: str) -> bool:
    """Say whether a string that is no published code looks like a number of a person, an address or a url."""
    if "@" in text or not (text[0].isdigit() or text[0] in "+("):
        return VERSION.fullmatch(text) is None
    compact = text.translate(SEPARATORS)
    if sct_is_right(compact):
        return False  # a SNOMED CT code: its own check digit and partition
    if PHONE.fullmatch(compact) or RPPS.fullmatch(compact) or is_nir(compact):
        return True
    return FINESS.fullmatch(compact) is not None and compact[1] not in "AB" and luhn_is_right(compact)


def is_nir(compact: str) -> bool:
    """Say whether it is a NIR or NIA with its right key."""
    nir = parse_nir(compact)
    return nir is not None and nir.key_is_right is True


def strings(node: object) -> Iterator[str]:
    """Yield every string under a JSON value."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)


def leaves(node: object, path: str) -> Iterator[tuple[str, object]]:
    """Yield path and value of every leaf of a de-identified resource."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from leaves(value, f"{path}.{name}")
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value, path)
    else:
        yield path, node


def _number(text: object) -> tuple[str, ...]:
    """Return a number as written and without blanks, when it is long enough to be told from a code."""
    if not isinstance(text, str) or len(text) < SHORTEST_NUMBER or not any(map(str.isdigit, text)):
        return ()
    return text, text.lower(), BLANKS.sub("", text).lower()


def _dates(birth: object) -> set[str]:
    if not isinstance(birth, str) or len(birth) != len("AAAA-MM-JJ"):
        return set()
    year, month, day = birth[:4], birth[5:7], birth[8:]
    return {f"{year}{month}{day}", f"{day}{month}{year}", f"{day}/{month}/{year}", f"{day}.{month}.{year}"}


OURS = frozenset(
    f"urn:snds-gateway:{name}"
    for name in (
        "resource", "person", "stay", "ipp", "unit", "psa", "ano", "insured", "local", "flag", "fact", "type",
        "encounter", "age-at", "age-years", "age-days", "nir-ret", "nai-ret", "sex-ret", "nir-status", "twin-rank",
        "department", "pmsi-geo-code", "insee-code", "postal-code", "death-insee-code",
    )
)  # fmt: skip
