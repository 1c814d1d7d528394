"""A decision → the answer of DESIGN §8: the response Bundle, or the OperationOutcome of one resource.

Entries answer in order; a receipt, statuses and outcomes only: no id, no fullUrl, no pseudonym. Promise: P13.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from fhir_profiles.issues import Issue, Language, operation_outcome
from gateway.decision import Decision
from gateway.exchange import Preference
from gateway.outcomes import ACCEPTED, FHIR_JSON, Answer, as_json, entry_status, outcome, refusal

RECEIPT_SYSTEM = "urn:snds-gateway:receipt"
RECEIPT_HEADER = "Gateway-Receipt"


def answer(decision: Decision, *, language: Language, preference: Preference) -> Answer:
    """Build the answer of a decision whose events are durable."""
    headers = {RECEIPT_HEADER: decision.receipt} if decision.receipt else {}
    if decision.refusal is not None:
        refused = refusal(decision.refusal, language)
        return replace(refused, headers={**refused.headers, **headers})
    if preference:
        headers["Preference-Applied"] = f"return={preference}"
    if decision.kind == "single":
        return _single(decision, headers, language=language, preference=preference)
    body = _bundle(decision, language=language, preference=preference)
    codes = tuple(dict.fromkeys(one.code for one in _all_issues(decision)))
    return as_json(HTTPStatus.OK, body, headers={"Content-Language": language, **headers}, codes=codes)


def _single(decision: Decision, headers: dict[str, str], *, language: Language, preference: Preference) -> Answer:
    issues = _all_issues(decision)
    if preference == "minimal":
        return Answer(HTTPStatus.ACCEPTED, b"", {"Content-Type": FHIR_JSON, **headers})
    return outcome(HTTPStatus.ACCEPTED, issues, language, headers=headers)


def _bundle(decision: Decision, *, language: Language, preference: Preference) -> dict[str, Any]:
    kind = "batch-response" if decision.kind == "batch" else "transaction-response"
    body: dict[str, Any] = {
        "resourceType": "Bundle",
        "identifier": {"system": RECEIPT_SYSTEM, "value": decision.receipt},
        "type": kind,
    }
    if decision.entries:
        plain = None if preference == "OperationOutcome" else {"response": {"status": ACCEPTED}}  # as nearly all are
        told = decision.refused.union(decision.entry_issues)
        body["entry"] = [
            plain
            if plain is not None and index not in told
            else {"response": _response(decision, index, language=language, preference=preference)}
            for index in range(decision.entries)
        ]
    return body


def _response(decision: Decision, index: int, *, language: Language, preference: Preference) -> dict[str, Any]:
    """Answer one entry; an outcome stands there when it has something to say, or is asked for."""
    issues: tuple[Issue, ...] = decision.entry_issues.get(index, ())
    if index in decision.refused:
        return {"status": entry_status(issues), "outcome": operation_outcome(issues, language=language)}
    response: dict[str, Any] = {"status": ACCEPTED}
    if preference == "OperationOutcome" or (issues and preference != "minimal"):
        response["outcome"] = operation_outcome(issues, language=language)
    return response


def _all_issues(decision: Decision) -> tuple[Issue, ...]:
    return (
        *decision.bundle_issues,
        *(one for index in sorted(decision.entry_issues) for one in decision.entry_issues[index]),
    )
