"""A CapabilityStatement → search parameters of another type than R4 gives them; and the short formats that R4 allows.

R4 (CapabilityStatement.format): "xml | json | ttl | mime type", which its binding to BCP 13 cannot say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fhir_profiles.issues import Issue, issue
from fhir_profiles.search_parameters import r4_parameter

SHORT_FORMATS = frozenset(("xml", "json", "ttl"))
_FORMAT = re.compile(r"\.(?:format|patchFormat)\[([0-9]+)\]")


def capability_issues(resource: Mapping[str, Any], path: str) -> Iterator[Issue]:
    """Yield the search parameters whose type is not that of their definition."""
    for place, rest in _objects(resource, "rest", path):
        for below, served in (*_objects(rest, "resource", place), (place, rest)):
            for where, parameter in _objects(served, "searchParam", below):
                url = parameter.get("definition")
                known = r4_parameter(url) if isinstance(url, str) else None
                if known is not None and isinstance(parameter.get("type"), str) and parameter["type"] != known.type:
                    yield issue("search-parameter-definition-type", f"{where}.type", expected=known.type)


def is_short_format(found: Issue, resource: Mapping[str, Any], path: str) -> bool:
    """Say whether an issue is about a short format, which no value set holds."""
    if found.code != "code-not-in-value-set" or not found.expression.startswith(path):
        return False
    place = _FORMAT.fullmatch(found.expression[len(path) :])
    listed = resource.get("format" if ".format[" in found.expression else "patchFormat")
    return place is not None and isinstance(listed, list) and listed[int(place[1])] in SHORT_FORMATS


def _objects(owner: Mapping[str, Any], name: str, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    listed = owner.get(name)
    for number, one in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(one, dict):
            yield f"{path}.{name}[{number}]", one
