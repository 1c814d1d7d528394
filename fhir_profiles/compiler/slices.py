"""What generated profile code calls: slice tests on JSON values, and findings about what a profile adds.

Tests look at posted values and keep nothing. Findings name elements by their id in the profile.
"""

from __future__ import annotations

from typing import Any

from fhir_profiles.compiler.bound import is_member
from fhir_profiles.compiler.context import CheckContext
from fhir_profiles.compiler.findings import Finding, Findings, add, stamp
from fhir_profiles.compiler.nested import conforms
from fhir_profiles.terminology import Expansion

Steps = tuple[Any, ...]


def like(value: Any, pattern: Any) -> bool:  # noqa: ANN401 — any JSON values
    """Say whether a value holds everything that a pattern holds."""
    if type(pattern) is dict:
        if type(value) is not dict:
            return False
        for key, wanted in pattern.items():
            if key not in value:
                return False
            if type(wanted) is str:
                if value[key] != wanted:
                    return False
            elif not like(value[key], wanted):
                return False
        return True
    if type(pattern) is list:
        return type(value) is list and all(any(like(one, wanted) for one in value) for wanted in pattern)
    return value is pattern or (type(value) is not bool and bool(value == pattern))


def picked(value: Any, steps: Steps, x: CheckContext) -> list[Any]:  # noqa: ANN401 — any JSON value
    """Return the JSON values at the end of a discriminator path."""
    found = [value]
    for step in steps:
        below: list[Any] = []
        for one in found:
            if type(step) is str:
                reached = one.get(step) if type(one) is dict else None
                if type(reached) is list:
                    below += reached
                elif reached is not None:
                    below.append(reached)
            else:
                below += _special(one, step, x)
        found = below
    return found


def _special(value: Any, step: tuple[str, Any], x: CheckContext) -> list[Any]:  # noqa: ANN401 — any JSON value
    kind, what = step
    if kind == "resolve":
        text = value.get("reference") if type(value) is dict else value
        target = x.target(text) if type(text) is str else None
        return [] if target is None else [target]
    if type(value) is not dict:
        return [value] if kind == "type" else []
    if kind == "extension":
        listed = value.get("extension")
        items = listed if type(listed) is list else []
        return [one for one in items if type(one) is dict and one.get("url") == what]
    if kind == "choice":
        return [one for key, one in value.items() if key.startswith(what) and key[len(what) :][:1].isupper()]
    if kind == "keys":
        return [value[key] for key in what if key in value]
    return [value]


def any_equal(value: Any, steps: Steps, wanted: Any, x: CheckContext) -> bool:  # noqa: ANN401 — any JSON values
    """Say whether one of the values at a path is the wanted one."""
    return wanted in picked(value, steps, x)


def any_like(value: Any, steps: Steps, wanted: Any, x: CheckContext) -> bool:  # noqa: ANN401 — any JSON values
    """Say whether one of the values at a path holds the pattern."""
    return any(like(one, wanted) for one in picked(value, steps, x))


def any_member(value: Any, steps: Steps, expansions: tuple[Expansion, ...], x: CheckContext) -> bool:  # noqa: ANN401
    """Say whether one of the values at a path is a code of one of the value sets."""
    return any(is_member(one, expansion) for one in picked(value, steps, x) for expansion in expansions)


def any_value(value: Any, steps: Steps, x: CheckContext) -> bool:  # noqa: ANN401 — any JSON value
    """Say whether there is a value at a path."""
    return bool(picked(value, steps, x))


def any_type(value: Any, steps: Steps, types: frozenset[str], x: CheckContext) -> bool:  # noqa: ANN401
    """Say whether a resource at a path is of one of the types; a reference that does not resolve tells by its text."""
    last = steps[-1] if steps else None
    if type(last) is tuple and last[0] == "resolve":
        for one in picked(value, steps[:-1], x):
            text = one.get("reference") if type(one) is dict else None
            if type(text) is str and (text.partition("/")[0] in types or "Resource" in types):
                return True
    kinds = (one.get("resourceType") for one in picked(value, steps, x) if type(one) is dict)
    return any(type(kind) is str and kind in types for kind in kinds)


def any_conforming(value: Any, steps: Steps, keys: tuple[str, ...], x: CheckContext) -> bool:  # noqa: ANN401
    """Say whether a value at a path conforms to one of the profiles."""
    return any(conforms(one, x, key) for one in picked(value, steps, x) for key in keys)


def lacks(found: Findings | None, identity: str) -> Findings:
    """Report an element that the profile demands."""
    parent, _, name = identity.rpartition(".")
    return add(found, Finding("missing-element", params={"element": name, "parent": parent}, rule=identity))


def too_few(found: Findings | None, identity: str, minimum: int, step: str) -> Findings:
    """Report an element that is there, but not often enough for the profile."""
    parent, _, name = identity.rpartition(".")
    params = {"element": name, "parent": parent, "minimum": str(minimum)}
    return add(found, Finding("too-few", step, params, rule=identity))


def excess(found: Findings | None, identity: str, maximum: int, step: str) -> Findings:
    """Report an element that is there more often than the profile allows."""
    parent, _, name = identity.rpartition(".")
    params = {"element": name, "parent": parent, "maximum": str(maximum)}
    return add(found, Finding("too-many", step, params, rule=identity))


def forbidden(found: Findings | None, identity: str, step: str) -> Findings:
    """Report an element that the profile takes out."""
    parent, _, name = identity.rpartition(".")
    return add(found, Finding("element-forbidden", step, {"element": name, "parent": parent}, rule=identity))


def bad_types(
    found: Findings | None, node: dict[str, Any], identity: str, steps: dict[str, str], types: tuple[str, ...]
) -> Findings | None:
    """Report the values of types that the profile takes out; `steps` gives those by key."""
    for key in node:
        if key in steps:
            params = {"element": identity, "types": ", ".join(types)}
            found = add(found, Finding("type-not-allowed", steps[key], params, rule=identity))
    return found


def not_fixed(found: Findings | None, identity: str, step: str, expected: str) -> Findings:
    """Report a value that is not the fixed one."""
    return add(found, Finding("fixed-value", step, {"element": identity, "expected": expected}, rule=identity))


def not_like(found: Findings | None, identity: str, step: str, expected: str) -> Findings:
    """Report a value without what the pattern demands."""
    return add(found, Finding("pattern-value", step, {"element": identity, "expected": expected}, rule=identity))


def slice_lacks(found: Findings | None, element: str, name: str, minimum: int, by: str) -> Findings:
    """Report a slice that the profile demands; `by` are the paths, below an item, that tell it."""
    params = {"element": element, "slice": name, "minimum": str(minimum), "by": by}
    return add(found, Finding("slice-missing", params=params, rule=f"{element}:{name}"))


def slice_excess(found: Findings | None, element: str, name: str, maximum: int, step: str) -> Findings:
    """Report a slice that is there too often."""
    params = {"element": element, "slice": name, "maximum": str(maximum)}
    return add(found, Finding("slice-too-many", step, params, rule=f"{element}:{name}"))


def slice_fault(found: Findings | None, code: str, element: str, step: str, names: tuple[str, ...]) -> Findings:
    """Report an item of no slice, or one that is out of order."""
    return add(found, Finding(code, step, {"element": element, "slices": ", ".join(names)}, rule=element))


def conform(value: Any, x: CheckContext, keys: tuple[str, ...]) -> Findings | None:  # noqa: ANN401 — any JSON value
    """Check a value against profiles of which one must hold; of a single one, tell what is wrong."""
    if len(keys) == 1:
        found = x.checks.profile_check(keys[0])(value, x)
        return None if found is None else stamp(found, keys[0])
    if type(value) is not dict or any(conforms(value, x, key) for key in keys):
        return None
    return [Finding("profile-not-met", params={"profiles": ", ".join(keys)})]


def target_conforms(value: Any, x: CheckContext, profiles: dict[str, tuple[str, ...]]) -> Findings | None:  # noqa: ANN401
    """Check that a resource of the same request is what a reference to it expects: one of the profiles of its type.

    A resource that the request checks against one of them anyway has its faults told there.
    """
    text = value.get("reference") if type(value) is dict else None
    if type(text) is not str:
        return None
    target = x.target(text)
    kind = target.get("resourceType") if target is not None else None
    keys = profiles.get(kind) if type(kind) is str else None
    if target is None or not keys:
        return None
    planned = x.planned.get(id(target), ())
    for key in keys:
        if key in planned:
            return None
    outer, x.resource = x.resource, target
    root, x.root = x.root, target
    try:
        if any(conforms(target, x, key) for key in keys):
            return None
    finally:
        x.resource, x.root = outer, root
    return [Finding("reference-target-profile", params={"profiles": ", ".join(keys)})]
