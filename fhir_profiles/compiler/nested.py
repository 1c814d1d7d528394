"""Resources inside resources, and references between them → findings.

The type of a contained resource decides its check; a reference may name only the types its element allows.
"""

from __future__ import annotations

from typing import Any

from fhir_profiles.compiler.context import CheckContext
from fhir_profiles.compiler.findings import Finding, Findings, sound, stamp, up
from fhir_profiles.compiler.runtime import bad_object
from fhir_profiles.resource_types import RESOURCE_TYPES

DEEPEST = 16


def contained_resource(value: object, x: CheckContext) -> Findings | None:
    """Check a resource inside another: its type, then the profiles that it declares and we know."""
    if type(value) is not dict or not value:
        return bad_object(value, "Resource")
    kind = value.get("resourceType")
    if type(kind) is not str:
        return [Finding("resource-type-missing")]
    check = x.checks.type_check(kind) if kind in RESOURCE_TYPES else None
    if check is None:
        return [Finding("resource-type-unknown")]
    if x.depth >= DEEPEST:
        return [Finding("too-nested")]
    outer, x.resource = x.resource, value
    x.depth += 1
    try:
        found = check(value, x)
        for key in _declared(value, x):
            added = x.checks.profile_check(key)(value, x)
            if added is not None:
                found = up(found, stamp(added, key), "")
    finally:
        x.resource = outer
        x.depth -= 1
    return found


def _declared(resource: dict[str, Any], x: CheckContext) -> list[str]:
    meta = resource.get("meta")
    listed = meta.get("profile") if type(meta) is dict else None
    keys = (x.checks.resolve(one) for one in (listed if type(listed) is list else ()) if type(one) is str)
    return list(dict.fromkeys(key for key in keys if key is not None))


def entry_resource(value: object, x: CheckContext) -> Findings | None:
    """Check `Bundle.entry.resource`, unless the caller checks each entry itself."""
    if x.skip_entries:
        return None
    outer, x.root = x.root, value if type(value) is dict else x.root
    try:
        return contained_resource(value, x)
    finally:
        x.root = outer


def refers(value: object, x: CheckContext, types: frozenset[str]) -> Findings | None:
    """Check that a Reference names a resource of an allowed type, as far as it says or the request shows."""
    if type(value) is not dict:
        return None
    text = value.get("reference")
    named = value.get("type")
    if type(named) is str and named in RESOURCE_TYPES and named not in types:
        return [_wrong_target(types)]
    if type(text) is not str:
        return None
    kind = text.partition("/")[0]
    if kind in types:
        return None
    if kind not in RESOURCE_TYPES:
        target = x.target(text)
        found = target.get("resourceType") if target is not None else _type_in_url(text)
        if type(found) is not str or found in types or found not in RESOURCE_TYPES:
            return None
    return [_wrong_target(types)]


def _type_in_url(text: str) -> str | None:
    if not text.startswith(("http://", "https://")):
        return None
    head = text.partition("/_history/")[0].rpartition("/")[0]
    return head.rpartition("/")[2]


def of_type(value: object, types: frozenset[str]) -> Findings | None:
    """Check the type of a resource where the profile narrows it."""
    kind = value.get("resourceType") if type(value) is dict else None
    if type(kind) is not str or kind in types:
        return None
    return [Finding("type-not-allowed", params={"element": "resourceType", "types": ", ".join(sorted(types))})]


def _wrong_target(types: frozenset[str]) -> Finding:
    return Finding("reference-target-type", params={"types": ", ".join(sorted(types))})


def of_profile_type(resource: dict[str, Any], x: CheckContext, key: str) -> bool:
    """Say whether a resource is of the type that a profile constrains."""
    return x.checks.type_of(key) in (resource["resourceType"], "Resource", "DomainResource")


def conforms(value: object, x: CheckContext, key: str) -> bool:
    """Say whether a value breaks no rule of a profile: tells slices and targets apart. Remembers resources."""
    if type(value) is not dict or ("resourceType" in value and not of_profile_type(value, x, key)):
        return False
    known = (id(value), key)
    if known not in x.judged:
        x.judged[known] = True  # a circle of references ends here
        found = x.checks.profile_check(key)(value, x)
        x.judged[known] = found is None or sound(found)
    return x.judged[known]
