"""What a caller may ask for beyond, or short of, the gateway's own verdict: `Strictness` → severities and more issues.

The names are those of the switches of HL7's reference validator; the defaults are what the gateway decides by. Never
quotes a string of the sender. Promise: with the defaults nothing is walked and no issue changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from fhir_profiles.fhirpath.types import PRIMITIVES, r4_types
from fhir_profiles.issues import Issue, issue
from fhir_profiles.resource_types import RESOURCE_TYPES

Heed = Literal["ignore", "warning", "error"]
Weight = Literal["warning", "error"]

URIS = frozenset(("uri", "url", "canonical"))
UNKNOWN_EXTENSIONS = ("extension-unknown", "extension-unknown-hl7")
# RFC 2606, and the company of nobody.
_EXAMPLE = re.compile(
    r"[a-z]+://(?:[a-z0-9-]+\.)*(?:example\.(?:org|com|net|edu)|acme\.com)(?=[:/?#]|$)", re.IGNORECASE
)
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9-]*(?:[\s/][^<>]*)?>|<!--")


@dataclass(frozen=True, slots=True)
class Strictness:
    """How heavy each of these weighs. An unknown extension at an example's url is judged as an example's url is.

    That url is known from the quote of its issue: one of more than 64 characters is not quoted, so not recognised.
    """

    example_urls: Heed = "ignore"
    unknown_extensions: Weight | None = None
    html_in_strings: Heed = "ignore"
    unresolved_references: Weight | None = None

    @property
    def adds(self) -> bool:
        """Say whether values must be looked at that no other check looks at."""
        return self.example_urls != "ignore" or self.html_in_strings != "ignore"


USUAL = Strictness()
JUDGEMENTS = tuple(
    f"{name}={weight}"
    for name in ("example-urls", "unknown-extensions", "html-in-strings", "unresolved-references")
    for weight in ("warning", "error")
)


def strictness_of(judgements: Iterable[str]) -> Strictness:
    """Return what the caller asks for in words of JUDGEMENTS; the last word on a thing counts. Raises ValueError."""
    asked: dict[str, Weight] = {}
    for one in judgements:
        if one not in JUDGEMENTS:
            raise ValueError("no such judgement")
        name, _, weight = one.partition("=")
        asked[name] = "error" if weight == "error" else "warning"
    return Strictness(
        example_urls=asked.get("example-urls", "ignore"),
        unknown_extensions=asked.get("unknown-extensions"),
        html_in_strings=asked.get("html-in-strings", "ignore"),
        unresolved_references=asked.get("unresolved-references"),
    )


def reweighed(found: Iterable[Issue], strictness: Strictness) -> list[Issue]:
    """Return issues with the severity that the caller gives to their kind."""
    return [_reweighed(one, strictness) for one in found]


def _reweighed(found: Issue, strictness: Strictness) -> Issue:
    if found.code in UNKNOWN_EXTENSIONS:
        is_example = found.quote is not None and _EXAMPLE.match(found.quote) is not None
        asked = strictness.unknown_extensions
        if asked is not None and not (is_example and strictness.example_urls != "error"):
            return replace(found, severity=asked)
    elif found.code == "reference-unresolved" and strictness.unresolved_references is not None:
        return replace(found, severity=strictness.unresolved_references)
    return found


def strict_issues(resource: Mapping[str, Any], path: str, strictness: Strictness) -> Iterator[Issue]:
    """Yield the examples' urls and the HTML of a resource, and of those that it contains; not those of its entries."""
    if strictness.adds:
        kind = resource.get("resourceType")
        if isinstance(kind, str) and kind in RESOURCE_TYPES:
            yield from _inside(resource, kind, path, strictness)


def _inside(node: Mapping[str, Any], kind: str, path: str, strictness: Strictness) -> Iterator[Issue]:
    """Walk an element whose type path is `kind`; what its type does not have is told by the other checks."""
    for name, child in r4_types().children(kind).items():
        for key, inner in child.options:
            place = f"{path}.{name}.ofType({inner})" if child.is_choice else f"{path}.{name}"
            if inner in PRIMITIVES:
                yield from _primitives(node.get(key), inner, place, strictness)
                key = "_" + key
            for step, value in _items(node.get(key)):
                if isinstance(value, dict):
                    yield from _below(value, inner, place + step, strictness)


def _below(value: Mapping[str, Any], kind: str, place: str, strictness: Strictness) -> Iterator[Issue]:
    if kind == "Resource":
        if ".entry[" not in place or not place.endswith(".resource"):
            yield from strict_issues(value, place, strictness)
    else:
        yield from _inside(value, "Element" if kind in PRIMITIVES else kind, place, strictness)


def _primitives(found: object, kind: str, place: str, strictness: Strictness) -> Iterator[Issue]:
    for step, value in _items(found):
        if not isinstance(value, str):
            continue
        if kind in URIS and strictness.example_urls != "ignore" and _EXAMPLE.match(value):
            yield issue("example-url", place + step, severity=strictness.example_urls)
        elif kind == "string" and strictness.html_in_strings != "ignore" and _TAG.search(value):
            yield issue("html-in-string", place + step, severity=strictness.html_in_strings)


def _items(found: object) -> Iterator[tuple[str, object]]:
    if isinstance(found, list):
        for number, value in enumerate(found):
            yield f"[{number}]", value
    elif found is not None:
        yield "", found
