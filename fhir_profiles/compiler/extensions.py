"""Extensions of a JSON element → findings: known definition, context, content; and the `_` siblings of primitives.

Definitions are found by url in the scope of the resource's profiles. A url is quoted, never what it carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir_profiles.compiler.context import CheckContext
from fhir_profiles.compiler.extension_places import pending
from fhir_profiles.compiler.findings import Finding, Findings, add, stamp, up, upi
from fhir_profiles.compiler.primitives import CHECKS
from fhir_profiles.compiler.runtime import bad, bad_list, bad_object, quotable, unknown

HL7 = "http://hl7.org/fhir/StructureDefinition/"


def extensions(found: Findings | None, value: object, x: CheckContext, contexts: tuple[str, ...]) -> Findings | None:
    """Check `extension`; `contexts` are the expressions that its element answers to."""
    return _listed(found, value, x, contexts, name="extension")


def modifier_extensions(
    found: Findings | None, value: object, x: CheckContext, contexts: tuple[str, ...]
) -> Findings | None:
    """Check `modifierExtension`: one that nobody here knows is an error, because it may change the meaning."""
    return _listed(found, value, x, contexts, name="modifierExtension")


def _listed(
    found: Findings | None, value: object, x: CheckContext, contexts: tuple[str, ...], *, name: str
) -> Findings | None:
    if type(value) is not list or not value:
        return bad_list(found, value, "." + name)
    check = x.checks.type_check("Extension")
    for index, one in enumerate(value):
        below = check(one, x) if check is not None else None
        if type(one) is dict:
            below = _known(below, one, x, contexts, modifier=name == "modifierExtension")
        if below is not None:
            found = upi(found, below, "." + name, index)
    return found


def _known(
    below: Findings | None, one: dict[str, Any], x: CheckContext, contexts: tuple[str, ...], *, modifier: bool
) -> Findings | None:
    url = one.get("url")
    if type(url) is not str:
        return below
    known = x.checks.extension(url, x.scope)
    if known is None:
        finding = _unknown(url, modifier=modifier)
        return below if finding is None else add(below, finding)
    inside = known.check(one, x)
    if inside is not None:
        stamp(inside, known.key)
        below = up(below, inside, "")
    if known.modifier is not modifier:
        code = "extension-not-modifier" if modifier else "extension-is-modifier"
        below = add(below, Finding(code, profile=known.key))
    if known.places is not None and not known.places.allow(contexts):
        below = add(below, pending(known.places, known.key, contexts))
    return below


def _unknown(url: str, *, modifier: bool) -> Finding | None:
    """Say what an undefined url means; one without a scheme is a part of a complex extension, judged by its parent."""
    if ":" not in url:
        return None
    if modifier:
        return Finding("extension-modifier-unknown", quote=quotable("uri", url))
    if url.startswith(HL7):
        return Finding("extension-unknown-hl7", quote=quotable("uri", url))
    return Finding("extension-unknown", quote=quotable("uri", url))


def siblings(
    found: Findings | None,
    node: Mapping[str, Any],
    key: str,
    value: object,
    x: CheckContext,
    primitives: Mapping[str, tuple[str, str, bool]],
) -> Findings | None:
    """Check `_birthDate`: id and extensions of a primitive, in step with its values when it repeats.

    `primitives` gives, by name, the type, the path of the element, and whether it repeats.
    """
    name = key[1:]
    kind, path, repeats = primitives[name]
    contexts = (path, kind, "Element")
    if not repeats:
        below = _sibling(value, x, contexts)
        return found if below is None else up(found, below, "." + name)
    if type(value) is not list or not value:
        return bad_list(found, value, "." + name)
    values = node.get(name)
    apart = type(values) is list and len(values) != len(value)
    if apart:
        found = add(found, Finding("sibling-length", "." + name))
    for index, one in enumerate(value):
        if one is None:
            if not apart and not (type(values) is list and index < len(values) and values[index] is not None):
                found = add(found, Finding("null-value", f".{name}[{index}]"))
            continue
        below = _sibling(one, x, contexts)
        if below is not None:
            found = upi(found, below, "." + name, index)
    return found


def _sibling(value: object, x: CheckContext, contexts: tuple[str, ...]) -> Findings | None:
    if type(value) is not dict or not value:
        return bad_object(value, "Element")
    found: Findings | None = None
    for key, one in value.items():
        if key == "extension":
            found = extensions(found, one, x, contexts)
        elif key == "id":
            if not CHECKS["string"](one):
                found = bad(found, one, ".id", "string")
        else:
            found = unknown(found, key, "Element")
    return found
