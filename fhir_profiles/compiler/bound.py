"""A code, Coding, CodeableConcept or Quantity against a bound value set → findings.

What cannot be known offline is said once per system and request, never guessed (DESIGN §3). Quotes codes alone.
"""

from __future__ import annotations

from typing import Any

from fhir_profiles.compiler.context import CheckContext
from fhir_profiles.compiler.findings import Finding, Findings, up
from fhir_profiles.compiler.primitives import CHECKS
from fhir_profiles.compiler.runtime import bad, quotable
from fhir_profiles.issues import Severity
from fhir_profiles.terminology import Expansion


def bound_code(value: object, x: CheckContext, expansion: Expansion, severity: Severity) -> Findings | None:
    """Check a code, or another primitive that holds one."""
    if type(value) is not str or value in expansion.codes:
        return None
    known = expansion.contains_code(value)
    if known is None:
        return _unchecked(x, next(iter(sorted(expansion.open)), None), expansion)
    return None if known else [_outside(expansion, severity, value)]


def bad_code(
    found: Findings | None,
    value: object,
    step: str,
    kind: str,
    x: CheckContext,
    expansion: Expansion,
    severity: Severity,
) -> Findings | None:
    """Say why a value is not one of the codes listed: no code at all, another one, or one that is not listed here."""
    if not CHECKS[kind](value):
        return bad(found, value, step, kind)
    below = bound_code(value, x, expansion, severity)
    return found if below is None else up(found, below, step)


def bound_coding(value: object, x: CheckContext, expansion: Expansion, severity: Severity) -> Findings | None:
    """Check a Coding: its system and code."""
    if type(value) is not dict:
        return None
    code, system = value.get("code"), value.get("system")
    if type(code) is not str:
        return _no_code(value, expansion, severity)
    known = _contains(system, code, expansion)
    if known is None:
        return _unchecked(x, system, expansion)
    return None if known else [_outside(expansion, severity, code)]


def bound_concept(value: object, x: CheckContext, expansion: Expansion, severity: Severity) -> Findings | None:
    """Check a CodeableConcept: one of its codings is enough."""
    codings = value.get("coding") if type(value) is dict else None
    if type(value) is not dict or (codings is not None and type(codings) is not list):
        return None
    known_systems = expansion.systems
    first: tuple[object, str] | None = None
    doubtful: list[object] = []
    for one in codings or ():
        code = one.get("code") if type(one) is dict else None
        if type(code) is not str:
            continue
        system = one.get("system")
        if type(system) is str and code in known_systems.get(system, ()):
            return None
        known = _contains(system, code, expansion)
        if known:
            return None
        if known is None:
            doubtful.append(system)
        first = first or (system, code)
    if first is None:
        return _no_code(value, expansion, severity)
    if doubtful:
        return _unchecked(x, doubtful[0], expansion)
    return [_outside(expansion, severity, first[1])]


def bound_quantity(value: object, x: CheckContext, expansion: Expansion, severity: Severity) -> Findings | None:
    """Check the unit code of a Quantity; one without a code has nothing to check."""
    if type(value) is not dict or "code" not in value:
        return None
    return bound_coding(value, x, expansion, severity)


def membership(value: object, expansion: Expansion) -> bool | None:
    """Say whether a code, Coding, CodeableConcept or Quantity is a member (`memberOf()`); None when unknown."""
    if type(value) is str:
        return expansion.contains_code(value)
    if type(value) is not dict:
        return None
    if type(codings := value.get("coding")) is list:
        answers = [membership(one, expansion) for one in codings if type(one) is dict]
        return True if True in answers else None if None in answers else False
    code = value.get("code")
    return _contains(value.get("system"), code, expansion) if type(code) is str else False


def is_member(value: object, expansion: Expansion) -> bool:
    """Say whether a code, Coding or CodeableConcept is known to be a member: tells slices apart."""
    return membership(value, expansion) is True


def _contains(system: object, code: str, expansion: Expansion) -> bool | None:
    return expansion.contains(system if type(system) is str else None, code)


def _no_code(value: dict[str, Any], expansion: Expansion, severity: Severity) -> Findings | None:
    """A concept of words alone breaks a required binding; an extensible one allows it."""
    if severity != "error" or value.get("extension"):
        return None
    return [Finding("code-missing", params={"value_set": expansion.url})]


def _outside(expansion: Expansion, severity: Severity, code: str) -> Finding:
    name = "code-not-in-value-set" if severity == "error" else "code-outside-extensible"
    return Finding(name, params={"value_set": expansion.url}, severity=severity, quote=quotable("code", code))


def _unchecked(x: CheckContext, system: object, expansion: Expansion) -> Findings | None:
    """Say once that codes of a system (or of a whole value set) cannot be checked here."""
    named = system if type(system) is str and system in expansion.open else None
    what = named or expansion.url
    if what in x.unchecked:
        return None
    x.unchecked.add(what)
    if named is not None:
        return [Finding("code-system-unavailable", params={"system": named})]
    return [Finding("value-set-unavailable", params={"value_set": expansion.url})]
