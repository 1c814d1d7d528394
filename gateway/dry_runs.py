"""`$validate` and `$de-identify`: what would be said, what would leave. Nothing is kept, published or counted.

Every call has random keys of its own: its pseudonyms begin with `demo-` and join with nothing. Never loads a real key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

import orjson

from fhir_profiles.bundle import parse
from fhir_profiles.errors import Invalid
from fhir_profiles.issues import Issue, Language, issue, operation_outcome
from fhir_profiles.positions import with_positions
from fhir_profiles.values import ParsedBundle
from gateway.auth import Caller
from gateway.exchange import Exchange
from gateway.house import Yardstick
from gateway.intake import body_of, check_target
from gateway.outcomes import Answer, as_json, outcome
from gateway.worker import Worker
from transformers.contract import Contract
from transformers.deidentify.keys import random_gateway_keys
from transformers.deidentify.scrub import scrub
from transformers.deidentify.values import Scrubbed

MODES = ("create", "update", "delete", "profile")


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """One `$validate`: the resource inside the body (`prefix` is its place there), profiles and mode."""

    parsed: ParsedBundle
    prefix: str
    profiles: tuple[str, ...]
    mode: str


async def validate(exchange: Exchange, worker: Worker) -> Answer:
    """Answer `$validate` with every issue; 200 whenever the request itself is well formed."""
    caller = worker.identify(exchange, scope="validate")
    check_target(replace(exchange.target, resource_id=None))  # under an id any type may be checked, a Bundle too
    with worker.admission.enter(caller.finess) as place:
        content = await body_of(exchange, worker, place)
        issues = await worker.compute(exchange, lambda: _issues(content, exchange, worker.yardstick, caller.contract))
    return outcome(HTTPStatus.OK, issues, exchange.language, quoting=True)


async def deidentify(exchange: Exchange, worker: Worker) -> Answer:
    """Answer `$de-identify` with what would leave, one Bundle a person, and with `explain` the rule of each path."""
    caller = worker.identify(exchange, scope="validate")
    explain = exchange.query.get("explain", ["false"])[-1].lower() == "true"
    with worker.admission.enter(caller.finess) as place:
        content = await body_of(exchange, worker, place)
        resource = await worker.compute(
            exchange,
            lambda: _left(content, worker.yardstick, caller, language=exchange.language, explain=explain),
        )
    return as_json(HTTPStatus.OK, resource, headers={"Content-Language": exchange.language})


def _issues(content: bytes, exchange: Exchange, yardstick: Yardstick, contract: Contract) -> tuple[Issue, ...]:
    try:
        asked = _asked(content, exchange, yardstick)
    except Invalid as refused:
        return with_positions(refused.issues, content)
    found = list(_mode_issues(asked))
    if asked.mode != "delete":
        verdict = yardstick.validator.validate(
            asked.parsed, french_profiles=contract.french_profiles, profiles=asked.profiles
        )
        found += verdict.issues
    return _placed(found, content, asked)


def _asked(content: bytes, exchange: Exchange, yardstick: Yardstick) -> Asked:
    """Read the body: a resource, or Parameters around one."""
    profiles = [one for one in exchange.query.get("profile", []) if one]
    mode = exchange.query.get("mode", [""])[-1]
    expected = exchange.target.expected_type
    whole = parse(content, yardstick.limits)
    if whole.root.get("resourceType") != "Parameters" or expected == "Parameters":
        if expected is not None and whole.root.get("resourceType") != expected:
            raise Invalid(issue("resource-type-unexpected", str(whole.root["resourceType"]), expected=expected))
        return Asked(whole, "", tuple(profiles), mode)
    listed = whole.root.get("parameter")
    parameters = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    profiles += [one["valueUri"] for one in _named(parameters, "profile", "valueUri")]
    profiles += [one["valueCanonical"] for one in _named(parameters, "profile", "valueCanonical")]
    mode = next((one["valueCode"] for one in _named(parameters, "mode", "valueCode")), mode)
    for index, one in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(one, dict) and one.get("name") == "resource" and isinstance(one.get("resource"), dict):
            inner = parse(orjson.dumps(one["resource"]), yardstick.limits, expected_type=expected)
            return Asked(inner, f"Parameters.parameter[{index}].resource", tuple(profiles), mode)
    raise Invalid(issue("parameters-resource-missing", "Parameters"))


def _named(parameters: Sequence[dict[str, Any]], name: str, value: str) -> Iterator[dict[str, Any]]:
    return (one for one in parameters if one.get("name") == name and isinstance(one.get(value), str))


def _mode_issues(asked: Asked) -> Iterator[Issue]:
    if asked.mode and asked.mode not in MODES:
        yield issue("mode-unknown")
    if asked.mode == "profile" and not asked.profiles:
        yield issue("mode-profile-missing")


def _placed(issues: Sequence[Issue], content: bytes, asked: Asked) -> tuple[Issue, ...]:
    """Give lines and columns in the bytes that were sent, also inside Parameters."""
    if not asked.prefix:
        return with_positions(issues, content)
    moved = [replace(one, expression=asked.prefix + _below(one.expression)) for one in issues]
    placed = with_positions(moved, content)
    return tuple(replace(one, line=at.line, column=at.column) for one, at in zip(issues, placed, strict=True))


def _below(expression: str) -> str:
    """Return an expression without the type that it starts with."""
    _, dot, rest = expression.partition(".")
    return dot + rest


def _left(content: bytes, yardstick: Yardstick, caller: Caller, *, language: Language, explain: bool) -> dict[str, Any]:
    parsed = parse(content, yardstick.limits)
    verdict = yardstick.validator.validate(parsed, french_profiles=caller.contract.french_profiles)
    if verdict.valid is None:
        raise Invalid(*with_positions(verdict.issues, content))
    scrubbed = scrub(
        verdict.valid,
        contract=caller.contract,
        source=caller.source,
        keys=random_gateway_keys(),
        rules=yardstick.rules,
        explain=explain,
    )
    refused = [
        issue(code, parsed.entries[index].path, severity="error") for index, code in sorted(scrubbed.refused.items())
    ]
    issues = [*verdict.issues, *refused]
    if parsed.all_or_nothing and refused:
        raise Invalid(*with_positions(issues, content))
    if not scrubbed.bundles:
        issues.append(issue("dry-run-nothing-left"))
    return {"resourceType": "Parameters", "parameter": [*_parameters(scrubbed), _outcome(issues, language)]}


def _outcome(issues: Sequence[Issue], language: Language) -> dict[str, Any]:
    return {"name": "outcome", "resource": operation_outcome(issues, language=language)}


def _parameters(scrubbed: Scrubbed) -> Iterator[dict[str, Any]]:
    for bundle in scrubbed.bundles:
        yield {
            "name": "event",
            "part": [
                {"name": "key", "valueString": bundle.key},
                {"name": "bundle", "resource": orjson.loads(bundle.body)},
            ],
        }
    for rule, number in sorted(scrubbed.dropped.items()):
        yield {
            "name": "dropped",
            "part": [{"name": "rule", "valueString": rule}, {"name": "count", "valueInteger": number}],
        }
    for index, path, action, rule in scrubbed.explained:
        yield {
            "name": "explained",
            "part": [
                {"name": "entry", "valueInteger": index},
                {"name": "path", "valueString": path},
                {"name": "action", "valueCode": action},
                {"name": "rule", "valueString": rule},
            ],
        }
