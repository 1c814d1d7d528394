"""Encoded, de-identified bytes → strings that still look identifying (DESIGN §12): a second, independent look.

Reads what would leave, not what the rules meant to do. Compares with shapes (NIR, RPPS, FINESS, telephone, e-mail, url)
and with the bundle's own names, addresses and numbers. Never says what it found, only where. Promise: P13.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import filterfalse
from typing import Any

import orjson

from fhir_profiles.french.identifiers import FINESS as FINESS_SYSTEM
from fhir_profiles.french.identifiers import FR_V2_0203
from fhir_profiles.french.luhn import luhn_is_right
from fhir_profiles.french.nir import parse_nir
from transformers.deidentify.checksums import sct_is_right
from transformers.deidentify.codings import VERSION
from transformers.deidentify.elements import Elements
from transformers.deidentify.harmless import Harmless, folded_words, lowered
from transformers.deidentify.needles import Needles, needles
from transformers.deidentify.rulebook import RuleBook

Json = Mapping[str, Any]

PSEUDONYM_LENGTHS = frozenset({22, 43})
AFTER_MONTH = frozenset({b"-", b""})
BETWEEN = b'":"'
# Asked of one string at a time, from its beginning: linear.
is_suspect = re.compile(rb"[0-9][0-9AB .]{8,24}|[0-9+(][0-9 ().+-]{9,20}|[^@]*@.*|[A-Za-z]{3,6}:.*", re.S).fullmatch
PHONE = re.compile(r"(?:\+33|0033|0)[1-9][0-9]{8}", re.ASCII)
RPPS = re.compile(r"8?10[0-9]{9}", re.ASCII)
FINESS = re.compile(r"(?:[0-9]{2}|2[AB])[0-9]{7}", re.ASCII)
SEPARATORS = str.maketrans("", "", " ().-")


class Scanner:
    """Looks at bodies of one scrub. `public` are strings that stand in published definitions or in the rules."""

    def __init__(
        self,
        public: frozenset[bytes],
        resources: Iterable[Json],
        *,
        expected: Sequence[Collection[str]] = (),
        harmless: Harmless | None = None,
    ) -> None:
        """`expected` are live collections of what leaves in clear by agreement: FINESS, units, code systems.

        `harmless` is what earlier scans found to have no suspect shape: codes come again and again. Names and numbers
        of the bundle are compared with these too.
        """
        self._public = public
        self._resources = resources
        self._expected = expected
        self._harmless = harmless if harmless is not None else Harmless()
        self._found: Needles | None = None

    def is_clean(self, encoded: Sequence[bytes]) -> bool:
        """Say whether nothing in encoded resources looks identifying.

        The bytes are cut before each value. Pieces that earlier scans saw are looked up. Of the others every part is
        looked at, the value and all that follows it up to the next one, whatever stands between its quotes. That sees
        too much at worst: what it suspects is read again, exactly.
        """
        text = b",".join(encoded)
        seen, found = self._harmless.seen, self._found
        if found is None:
            found = self._found = needles(self._resources)
        fresh = set(filterfalse(seen.pieces.__contains__, text.split(BETWEEN)))
        values, tails = set(), set()
        for one in fresh:
            value, _, tail = one.partition(b'"')
            values.add(value)
            tails.add(tail)
        tails -= seen.tails
        values.update(*(tail.split(b'"') for tail in tails))
        new = values - seen.parts
        parts = new - self._public
        changing = {one for one in parts if is_changing(one)}
        unknown = parts - changing
        suspect = self._suspects(unknown)
        if b"\\" in text or seen.has(found) or has(unknown, found) or not found.numbers.isdisjoint(changing):
            return self._is_clean_exactly(encoded, found)
        never = changing | suspect
        if len(new) > len(never):
            seen.keep(new - never, self._public)
        self._harmless.learn(seen, fresh, tails, never=never)
        return all(map(self._is_expected, suspect))

    def _is_clean_exactly(self, encoded: Iterable[bytes], found: Needles) -> bool:
        """Read each resource anew and look at its strings, and at what stands between quotes in them."""
        read = (one for resource in encoded for one in keys_and_strings(orjson.loads(resource)))
        every = {part.encode() for one in read for part in one.split('"')}
        fresh = every - self._public
        # Dates are never compared (every newborn enters on its birth date), pseudonyms would match by chance one day.
        compared = {one for one in fresh if not is_changing(one)}
        looking = (
            found.numbers.intersection(fresh) | found.numbers.intersection(lowered(compared)) | self._suspects(compared)
        )
        return found.words.isdisjoint(folded_words(compared)) and all(map(self._is_expected, looking))

    def _suspects(self, strings: Iterable[bytes]) -> set[bytes]:
        """Return the strings that look like a number of a person, an address or a url, those expected among them."""
        return {
            one
            for one in strings
            if is_suspect(one) and (self._is_expected(one) or looks_identifying(one.decode("utf-8", "replace")))
        }

    def _is_expected(self, one: bytes) -> bool:
        text = one.decode()
        return any(text in known for known in self._expected)

    def leaks_in(self, content: Json) -> Iterator[str]:
        """Yield the paths of what looks identifying in one resource. Only names of elements, never a value."""
        for path, value in leaves(content, str(content.get("resourceType", ""))):
            if not self.is_clean([orjson.dumps([value])]):
                yield path


def is_changing(one: bytes) -> bool:
    """Say whether a string has the shape of a pseudonym or of a date: these have no suspect shape, and never recur."""
    return len(one) in PSEUDONYM_LENGTHS or (one[4:5] == b"-" and one[:4].isdigit() and one[7:8] in AFTER_MONTH)


def has(strings: Collection[bytes], found: Needles) -> bool:
    """Say whether a word or a whole number of the bundle is among some strings."""
    return not (
        found.words.isdisjoint(folded_words(strings))
        and found.numbers.isdisjoint(strings)
        and found.numbers.isdisjoint(lowered(strings))
    )


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


def keys_and_strings(node: object) -> Iterator[str]:
    """Yield every string under a JSON value, names of members too."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        yield from node
        for value in node.values():
            yield from keys_and_strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from keys_and_strings(value)


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


OURS = frozenset(
    f"urn:snds-gateway:{name}"
    for name in (
        "resource", "person", "stay", "ipp", "unit", "psa", "ano", "insured", "local", "flag", "fact", "type",
        "encounter", "age-at", "age-years", "age-days", "nir-ret", "nai-ret", "sex-ret", "nir-status", "twin-rank",
        "department", "pmsi-geo-code", "insee-code", "postal-code", "death-insee-code",
    )
)  # fmt: skip
