"""A SearchParameter → what is wrong beside the one that it derives from, and beside its own bases.

R4 (SearchParameter.derivedFrom): a derived parameter keeps the type of the other and stays within its bases. The
parameters of R4 itself are a packaged table (scripts/build_search_parameters.py), read when one is first asked for.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from fhir_profiles.fhirpath.errors import Untranslatable
from fhir_profiles.fhirpath.parser import parse
from fhir_profiles.fhirpath.syntax import At, Binary, Call, Expression, Member, TypeOperator
from fhir_profiles.issues import Issue, issue
from fhir_profiles.resource_types import RESOURCE_TYPES

TABLE = "r4-search-parameters.json.xz"
ANY_RESOURCE = frozenset(("Resource", "DomainResource"))


class Parameter(NamedTuple):
    """What R4 says of one of its parameters."""

    type: str
    bases: frozenset[str]
    expression: str


@cache
def _known() -> Mapping[str, Parameter]:
    raw = json.loads(lzma.decompress((files("fhir_profiles") / "definitions" / TABLE).read_bytes()))
    return {url: Parameter(kind, frozenset(bases), text) for url, (kind, bases, text) in raw.items()}


def r4_parameter(canonical: str) -> Parameter | None:
    """Return a search parameter of R4, whatever version is asked for."""
    return _known().get(canonical.partition("|")[0])


def search_parameter_issues(resource: Mapping[str, Any], path: str) -> Iterator[Issue]:
    """Yield what is wrong; an element of a wrong shape is not this function's to tell."""
    bases = [one for one in _listed(resource.get("base")) if isinstance(one, str)]
    yield from _derived(resource, bases, path)
    text = resource.get("expression")
    if isinstance(text, str) and bases and _looks_elsewhere(text, frozenset(bases)):
        yield issue("search-parameter-expression", f"{path}.expression", bases=", ".join(_types(bases)))


def _derived(resource: Mapping[str, Any], bases: list[str], path: str) -> Iterator[Issue]:
    url = resource.get("derivedFrom")
    if not isinstance(url, str):
        return
    known = r4_parameter(url)
    if known is None:
        yield issue("search-parameter-unknown", f"{path}.derivedFrom")
        return
    for number, base in enumerate(bases):
        if base not in known.bases and known.bases.isdisjoint(ANY_RESOURCE):
            yield issue("search-parameter-base", f"{path}.base[{number}]", expected=", ".join(sorted(known.bases)))
    kind = resource.get("type")
    if isinstance(kind, str) and kind != known.type:
        yield issue("search-parameter-type", f"{path}.type", expected=known.type)
    text = resource.get("expression")
    if isinstance(text, str) and known.expression and not _same(text, known.expression):
        yield issue("search-parameter-other-expression", f"{path}.expression", expected=known.expression[:200])


def _same(one: str, other: str) -> bool:
    """Compare two unions without regard to order and blanks."""
    return {" ".join(part.split()) for part in one.split("|")} == {" ".join(part.split()) for part in other.split("|")}


def _looks_elsewhere(text: str, bases: frozenset[str]) -> bool:
    """Say whether every part of a union begins with a resource type that is none of the bases."""
    if not bases.isdisjoint(ANY_RESOURCE):
        return False
    try:
        heads = [_head(one) for one in _parts(parse(text))]
    except Untranslatable:
        return False
    return all(head in RESOURCE_TYPES and head not in bases for head in heads)


def _parts(expression: Expression) -> Iterator[Expression]:
    if isinstance(expression, Binary) and expression.operator == "|":
        yield from _parts(expression.left)
        yield from _parts(expression.right)
    else:
        yield expression


def _head(expression: Expression) -> str:
    """Return the name that a path begins with."""
    below: Expression | None = expression
    name = ""
    while below is not None:
        if isinstance(below, (Member, Call)):
            name = below.name if isinstance(below, Member) else ""
            below = below.base
        elif isinstance(below, At):
            below = below.base
        elif isinstance(below, TypeOperator):
            below = below.operand
        else:
            return ""
    return name


def _types(names: list[str]) -> list[str]:
    """Return those that are resource types: nothing else that a sender wrote may be in a sentence."""
    return [name for name in names if name in RESOURCE_TYPES]


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
