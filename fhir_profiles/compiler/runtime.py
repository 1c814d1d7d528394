"""What generated code calls when something is wrong (or rare): JSON value → findings.

Called off the valid path, except `siblings`, `any_member` and the reference checks. Quotes codes and element
names only, never a string, identifier or date (DESIGN §3).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from fhir_profiles.compiler.findings import Finding, Findings, add
from fhir_profiles.compiler.hints import hint_for
from fhir_profiles.compiler.primitives import CHECKS, JSON_TYPES
from fhir_profiles.compiler.xhtml import xhtml_fault
from fhir_profiles.fhirpath.quantities import Quantity, common
from fhir_profiles.issues import Severity

NUMBERS = (int, float)
DAYS: Mapping[str, float] = MappingProxyType({"a": 365.25, "mo": 30.4375, "wk": 7.0, "d": 1.0, "h": 1 / 24})
QUOTABLE = frozenset({"code", "uri", "url", "canonical", "oid", "uuid"})


def quotable(kind: str, value: object) -> str | None:
    """Return what may be quoted of a value: codes and URIs of 64 characters at most."""
    return value if kind in QUOTABLE and isinstance(value, str) and len(value) <= 64 else None


def bad_object(value: object, type_name: str) -> Findings:
    """Say why a value is no element of a complex type."""
    if value is None:
        return [Finding("null-value")]
    if isinstance(value, dict):
        return [Finding("empty-object")]
    if isinstance(value, list):
        return [Finding("unexpected-array", params={"type": type_name})]
    return [Finding("not-an-object", params={"type": type_name})]


def bad_list(found: Findings | None, value: object, step: str) -> Findings:
    """Say why a value is no list of elements."""
    if value is None:
        return add(found, Finding("null-value", step))
    if isinstance(value, list):
        return add(found, Finding("empty-array", step))
    return add(found, Finding("not-an-array", step, {"element": step[1:]}))


def bad(found: Findings | None, value: object, step: str, kind: str) -> Findings:
    """Say why a value is no such primitive."""
    if value is None:
        return add(found, Finding("null-value", step))
    if isinstance(value, list):
        return add(found, Finding("unexpected-array", step, {"type": kind}))
    if type(value) not in JSON_TYPES.get(kind, (str,)):
        if kind == "integer" and type(value) is float:
            return add(found, Finding("format-integer", step))
        return add(found, Finding("wrong-json-type", step, {"type": kind, "expected": _json_name(kind)}))
    if value == "":
        return add(found, Finding("empty-string", step))
    if kind == "xhtml" and isinstance(value, str):
        return add(found, Finding(f"narrative-{xhtml_fault(value)}", step))
    return add(found, Finding(f"format-{kind}", step, quote=quotable(kind, value)))


def bad_items(
    found: Findings | None, node: Mapping[str, Any], values: list[Any], step: str, kind: str
) -> Findings | None:
    """Find what is wrong in a list of primitives; a null is right where the `_` sibling has an extension."""
    beside = node.get("_" + step[1:])
    check = CHECKS[kind]
    for index, value in enumerate(values):
        if value is None:
            if not (isinstance(beside, list) and index < len(beside) and isinstance(beside[index], dict)):
                found = add(found, Finding("null-value", f"{step}[{index}]"))
        elif not check(value):
            found = bad(found, value, f"{step}[{index}]", kind)
    return found


def _json_name(kind: str) -> str:
    return {"boolean": "true/false"}.get(kind, "number" if kind in JSON_TYPES else "string")


def unknown(found: Findings | None, name: str, owner: str) -> Findings:
    """Report an element that the type has not, with the R5 or STU3 story of it when we know it."""
    hint = hint_for(owner, name)
    quote = name if len(name) <= 64 else None
    if hint is not None:
        params = {"element": name, "parent": owner, "version": hint.version, "instead": hint.instead}
        return add(found, Finding("element-of-other-version", params=params, quote=quote))
    return add(found, Finding("unknown-element", params={"parent": owner}, quote=quote))


def missing(found: Findings | None, name: str, owner: str) -> Findings:
    """Report a mandatory element that is absent."""
    return add(found, Finding("missing-element", params={"element": name, "parent": owner}))


def too_many(found: Findings | None, name: str, maximum: int, owner: str) -> Findings:
    """Report an element that repeats more often than allowed."""
    return add(found, Finding("too-many", f".{name}", {"element": name, "parent": owner, "maximum": str(maximum)}))


def any_key(node: Mapping[str, Any], keys: tuple[str, ...]) -> bool:
    """Say whether one of the keys is there."""
    return any(key in node for key in keys)


def several_keys(node: dict[str, Any], keys: frozenset[str]) -> bool:
    """Say whether more than one of the keys is there."""
    return len(keys & node.keys()) > 1


def several(found: Findings | None, name: str, owner: str) -> Findings:
    """Report a choice with more than one value."""
    return add(found, Finding("choice-multiple", params={"element": name, "parent": owner}))


def invariant(found: Findings | None, key: str, severity: Severity, expression: str, step: str = "") -> Findings:
    """Report a broken constraint."""
    params = {"key": key, "expression": expression}
    return add(found, Finding("invariant", step, params, severity=severity, rule=key))


def in_range(found: Findings | None, value: Any, step: str, least: Any, most: Any) -> Findings | None:  # noqa: ANN401
    """Check minValue and maxValue of a number, a date or a quantity; what cannot be compared is left alone."""
    if isinstance(value, str):
        least, most = _moment(least, -1), _moment(most, 1)
    if least is not None and _order(value, least) == -1:
        return add(found, Finding("below-minimum", step, {"minimum": _shown(least)}))
    if most is not None and _order(value, most) == 1:
        return add(found, Finding("above-maximum", step, {"maximum": _shown(most)}))
    return found


def _order(value: Any, limit: Any) -> int | None:  # noqa: ANN401 — any JSON values
    """Return -1, 0 or 1; None when the two cannot be compared (another JSON type, another kind of unit)."""
    if type(limit) is dict:
        return _quantities(value, limit) if type(value) is dict else None
    if isinstance(value, str) and isinstance(limit, str):
        size = min(len(value), len(limit))
        value, limit = value[:size], limit[:size]
    elif not (type(value) in NUMBERS and type(limit) in NUMBERS):
        return None
    return int(value > limit) - int(value < limit)


def _moment(limit: Any, sign: int) -> Any:  # noqa: ANN401 — any JSON value
    """Return the day that a limit by duration means: so long before or after today (FHIR R4 ElementDefinition)."""
    days = DAYS.get(str(limit.get("code"))) if type(limit) is dict else None
    if days is None or type(limit.get("value")) not in NUMBERS:
        return limit
    try:
        return (datetime.now(UTC) + timedelta(days=sign * days * float(limit["value"]))).date().isoformat()
    except (OverflowError, ValueError):
        return None


def _quantities(value: Mapping[str, Any], limit: Mapping[str, Any]) -> int | None:
    numbers = value.get("value"), limit.get("value")
    if any(type(one) not in NUMBERS for one in numbers) or value.get("system") != limit.get("system"):
        return None
    one, other = (Quantity(Decimal(str(n)), str(of.get("code"))) for n, of in zip(numbers, (value, limit), strict=True))
    both = common(one, other)
    return None if both is None else int(both[0] > both[1]) - int(both[0] < both[1])


def _shown(limit: Any) -> str:  # noqa: ANN401 — any JSON value
    return f"{limit.get('value')} {limit.get('code', '')}".strip() if type(limit) is dict else str(limit)


def too_long(found: Findings | None, step: str, maximum: int) -> Findings:
    """Report a string longer than the definition allows."""
    return add(found, Finding("too-long", step, {"maximum": str(maximum)}))
