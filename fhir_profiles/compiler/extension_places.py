"""Where an extension may stand, and under which rules → settled by the resource that holds it (R4 defining-extensions).

Contexts by path, by type, by another extension, by FHIRPath; contextInvariant. Runs only for an extension that the
type of its element does not allow by itself, or that has rules. Promise: what has no answer here is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fhir_profiles.compiler.context import CheckContext
from fhir_profiles.compiler.findings import Finding, Findings, add
from fhir_profiles.fhirpath.errors import Unevaluable, Unknown
from fhir_profiles.fhirpath.evaluation import compiled
from fhir_profiles.fhirpath.nodes import Node, node, truth
from fhir_profiles.fhirpath.operations import MALFORMED, not_checked
from fhir_profiles.fhirpath.surroundings import EXTENSION
from fhir_profiles.fhirpath.types import PRIMITIVES, r4_types
from fhir_profiles.positions import steps_of

_STEP = re.compile(r"\[[0-9]+\]|\.ofType\([A-Za-z]+\)|(?<=\.)_")
_CHOICE = re.compile(r"\.([A-Za-z]+)\.ofType\(([A-Za-z])([A-Za-z0-9]*)\)")


@dataclass(frozen=True, slots=True)
class Places:
    """Where one extension may stand: element paths and types, extensions by url, what FHIRPath `selected` gives.

    `anywhere`: on every element. `rules` are the invariants that hold where it stands.
    """

    paths: frozenset[str] = frozenset()
    within: tuple[str, ...] = ()
    selected: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    anywhere: bool = False

    def allow(self, answered: tuple[str, ...]) -> bool:
        """Say whether the expressions that an element answers to are enough, and nothing else is asked."""
        return not self.rules and (self.anywhere or not self.paths.isdisjoint(answered))


def pending(places: Places, key: str, answered: tuple[str, ...]) -> Finding:
    """Return what the resource will settle: the extension is misplaced, unless its whole path says otherwise."""
    told = ", ".join((*sorted(places.paths), *places.within, *places.selected))
    there = places.anywhere or not places.paths.isdisjoint(answered)
    finding = Finding("extension-context", params={"contexts": told}, profile=key)
    finding.places, finding.placed = places, there
    return finding


def settle(found: Findings, resource_type: str, resource: Any, x: CheckContext) -> Findings | None:  # noqa: ANN401
    """Drop the extensions that stand where they may, and say which of their rules are broken."""
    kept: Findings | None = None
    for one in found:
        places = one.places
        if places is None:
            kept = add(kept, one)
            continue
        one.places = None
        try:
            if not (one.placed or _by_path(one, places, resource_type)) and not _by_content(one, places, resource, x):
                kept = add(kept, one)
                continue
        except Unknown:
            kept = not_checked(kept, x, f"context {one.profile}")
        kept = _rules(kept, one, places, resource, x)
    return kept


def _by_path(finding: Finding, places: Places, resource_type: str) -> bool:
    above = finding.path.rpartition(".")[0]
    path = resource_type + _STEP.sub("", above)
    choice = resource_type + _STEP.sub("", _CHOICE.sub(r".\1[x]", above))
    typed = resource_type + _STEP.sub("", _CHOICE.sub(_key, above))
    return not {path, choice, typed}.isdisjoint(places.paths)


def _key(found: re.Match[str]) -> str:
    return f".{found[1]}{found[2].upper()}{found[3]}"


def _by_content(finding: Finding, places: Places, resource: Any, x: CheckContext) -> bool:  # noqa: ANN401
    """Say whether the extension stands in another one that is allowed, or where an expression leads."""
    if not places.within and not places.selected:
        return False
    holder = at(resource, finding.path.rpartition(".")[0])
    if holder is None:
        return True  # malformed on the way: told there
    inside = holder.json.get("url") if holder.type == "Extension" and isinstance(holder.json, dict) else None
    if inside is not None and inside in places.within:
        return True
    return any(_leads(one, holder, resource, x) for one in places.selected)


def _leads(expression: str, holder: Node, resource: Any, x: CheckContext) -> bool:  # noqa: ANN401
    try:
        items = compiled(expression, "Resource")(resource, x)
    except (Unevaluable, *MALFORMED):
        return False
    side = holder.beside
    return any(type(one) is Node and (one.json is holder.json if side is None else one.beside is side) for one in items)


def _rules(kept: Findings | None, one: Finding, places: Places, resource: Any, x: CheckContext) -> Findings | None:  # noqa: ANN401
    """Evaluate contextInvariant: the focus is the element that holds the extension, `%extension` the extension."""
    holder = at(resource, one.path.rpartition(".")[0]) if places.rules else None
    extension = at(resource, one.path)
    if holder is None or extension is None:
        return kept
    for expression in places.rules:
        x.kept[EXTENSION] = extension
        try:
            holds = truth(compiled(expression, holder.type, of_extension=True)(holder.json, x, holder.beside))
        except Unknown:
            kept = not_checked(kept, x, f"contextInvariant {one.profile}")
            continue
        except (Unevaluable, *MALFORMED):
            holds = None
        finally:
            del x.kept[EXTENSION]
        if holds is not True:
            finding = Finding("extension-invariant", one.path, {"expression": expression}, profile=one.profile)
            kept = add(kept, finding)
    return kept


def at(resource: Any, path: str) -> Node | None:  # noqa: ANN401 — any JSON value
    """Return the element at a path of findings (`.name[0].family`); None when the JSON does not lead there."""
    value: Any = resource
    beside: Any = None
    kind = str(resource.get("resourceType"))
    for step in steps_of(path):
        if isinstance(step, int):
            value, beside = _item(value, step), _item(beside, step)
        elif isinstance(value, dict):
            kind = _kind(kind, step)
            value, beside = value.get(step), value.get(f"_{step}")
        elif isinstance(beside, dict) and kind in PRIMITIVES:
            value, kind, beside = beside.get(step), "Extension", None
        else:
            return None
    if value is None and beside is None:
        return None
    return node(value, kind, beside)


def _item(value: object, index: int) -> Any:  # noqa: ANN401 — any JSON value
    return value[index] if isinstance(value, list) and index < len(value) else None


def _kind(above: str, key: str) -> str:
    """Return the type path of what stands under a JSON key."""
    children = r4_types().children(above)
    return next((kind for one in children.values() for name, kind in one.options if name == key), "Element")
