"""Findings: violations on their way up. A check returns None, or a list whose paths the callers complete.

So the valid path builds no path at all; a finding's path grows by one step a level as it goes up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fhir_profiles.issues import Issue, Severity, catalogue
from fhir_profiles.positions import steps_of

if TYPE_CHECKING:
    from fhir_profiles.compiler.extension_places import Places

LIMIT = 400
NO_PARAMS: Mapping[str, str] = {}


class Finding:
    """One violation, its path relative to the element whose check returned it."""

    __slots__ = ("code", "params", "path", "placed", "places", "profile", "quote", "rule", "severity")

    def __init__(
        self,
        code: str,
        path: str = "",
        params: Mapping[str, str] = NO_PARAMS,
        *,
        severity: Severity | None = None,
        rule: str | None = None,
        quote: str | None = None,
        profile: str | None = None,
    ) -> None:
        self.code = code
        self.path = path
        self.params = params
        self.severity: Severity = severity or catalogue()[code].severity
        self.rule = rule
        self.quote = quote
        self.profile = profile  # whose rule it is, when it is not the profile being checked
        self.places: Places | None = None  # of an extension: settled by the resource, which knows the whole path
        self.placed = False


Findings = list[Finding]


def add(found: Findings | None, finding: Finding) -> Findings:
    """Append one finding to what was found so far."""
    if found is None:
        return [finding]
    if len(found) < LIMIT:
        found.append(finding)
    return found


def up(found: Findings | None, below: Findings, step: str) -> Findings:
    """Take over the findings of a child element: `step` is `.subject`."""
    for finding in below:
        finding.path = step + finding.path
    if found is None:
        return below
    if len(found) < LIMIT:
        found += below
    return found


def upi(found: Findings | None, below: Findings, step: str, index: int) -> Findings:
    """Take over the findings of item `index` of a repeated child element."""
    return up(found, below, f"{step}[{index}]")


def stamp(found: Findings, profile: str) -> Findings:
    """Say whose rules these findings break, where nothing below said it already."""
    for finding in found:
        if finding.profile is None:
            finding.profile = profile
    return found


def in_document_order(found: Findings, resource: Any) -> Findings:  # noqa: ANN401 — any JSON value
    """Sort findings as the elements they concern stand in the resource; an element comes before what is in it."""
    return sorted(found, key=lambda one: place_of(one.path, resource))


def place_of(path: str, node: Any) -> tuple[int, ...]:  # noqa: ANN401 — any JSON value
    """Return the positions of the steps of a path (`.name[1].use`) in the objects and arrays that they lead through."""
    place: list[int] = []
    for step in steps_of(path):
        if isinstance(step, int):
            place.append(step)
            node = node[step] if isinstance(node, list) and step < len(node) else None
        elif isinstance(node, dict):
            keys = list(node)
            key = step if step in node else f"_{step}"
            place.append(keys.index(key) if key in node else len(keys))
            node = node.get(key)
        else:
            break
    return tuple(place)


def sound(found: Findings) -> bool:
    """Say whether nothing found so far is an error: only then invariants are worth evaluating (no cascade)."""
    return all(finding.severity in ("warning", "information") for finding in found)


def to_issue(finding: Finding, path: str, profile: str) -> Issue:
    """Give the finding its place in the request and the profile whose rule it breaks."""
    return Issue(
        finding.code,
        path + finding.path,
        finding.severity,
        finding.params,
        profile=finding.profile or profile,
        rule=finding.rule,
        quote=finding.quote,
    )
