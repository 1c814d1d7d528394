"""Failures and findings → HTTP answers: the one table of statuses (docs/status-codes.md is checked against it).

Every refusal is an OperationOutcome in French or English. Never quotes a request. Promise: P2, P13.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import orjson

from fhir_profiles import errors
from fhir_profiles.issues import Issue, Language, catalogue, issue, operation_outcome

FHIR_JSON = "application/fhir+json; charset=utf-8"
QUOTA = ("quota", "quota-concurrency")
TOO_SLOW = "body-too-slow"

STATUS: Mapping[type[errors.PipelineError], HTTPStatus] = MappingProxyType(
    {
        errors.Malformed: HTTPStatus.BAD_REQUEST,
        errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
        errors.Forbidden: HTTPStatus.FORBIDDEN,
        errors.NotFound: HTTPStatus.NOT_FOUND,
        errors.MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
        errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        errors.Unsupported: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
        errors.Busy: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.Fault: HTTPStatus.INTERNAL_SERVER_ERROR,
    }
)
# Issues that give a refused entry of a batch a status other than 422.
ENTRY_STATUS: Mapping[str, HTTPStatus] = MappingProxyType(
    {"method-not-allowed": HTTPStatus.METHOD_NOT_ALLOWED, "consent-needs-rights": HTTPStatus.FORBIDDEN}
)
ACCEPTED = "202 Accepted"


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """One HTTP answer; `codes` are the issue codes that it tells, for the log, the audit and the metrics."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    codes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.body)} bytes)"


def status_of(error: errors.PipelineError) -> HTTPStatus:
    """Return the status of a failure."""
    if error.code in QUOTA:
        return HTTPStatus.TOO_MANY_REQUESTS
    if error.code == TOO_SLOW:
        return HTTPStatus.REQUEST_TIMEOUT
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), HTTPStatus.INTERNAL_SERVER_ERROR)


def entry_status(issues: Iterable[Issue]) -> str:
    """Return the `response.status` of a refused entry of a batch."""
    blocking = [one.code for one in issues if one.blocks]
    statuses = {ENTRY_STATUS.get(code, HTTPStatus.UNPROCESSABLE_ENTITY) for code in blocking}
    [status] = statuses if len(statuses) == 1 else [HTTPStatus.UNPROCESSABLE_ENTITY]
    return f"{status.value} {status.phrase}"


def issues_of(error: errors.PipelineError) -> tuple[Issue, ...]:
    """Return what a failure has to say; a code that the catalogue lacks is told as its category."""
    if isinstance(error, errors.Refused) and error.issues:
        return error.issues
    if error.code in catalogue():
        return (issue(error.code),)
    return (issue("unavailable" if isinstance(error, errors.Busy | errors.Unavailable) else "fault"),)


def refusal(error: errors.PipelineError, language: Language, *, issues: tuple[Issue, ...] | None = None) -> Answer:
    """Answer a failure. `issues` replaces those of the error (positions added)."""
    found = issues if issues is not None else issues_of(error)
    headers: dict[str, str] = {}
    if isinstance(error, errors.Busy | errors.Unavailable):
        headers["Retry-After"] = str(max(1, error.retry_after_s))
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.MethodNotAllowed):
        headers["Allow"] = ", ".join(one.params["allowed"] for one in found if "allowed" in one.params)
    return outcome(status_of(error), found, language, headers=headers)


def outcome(
    status: int,
    issues: Iterable[Issue],
    language: Language,
    *,
    quoting: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Answer with an OperationOutcome; without an issue it says that all is well."""
    listed = tuple(issues)
    return as_json(
        status,
        operation_outcome(listed, language=language, quoting=quoting),
        headers={"Content-Language": language, **(headers or {})},
        codes=tuple(dict.fromkeys(one.code for one in listed)),
    )


def as_json(
    status: int,
    resource: dict[str, Any],
    *,
    headers: Mapping[str, str] | None = None,
    codes: tuple[str, ...] = (),
) -> Answer:
    """Answer with a resource."""
    return Answer(status, orjson.dumps(resource), {"Content-Type": FHIR_JSON, **(headers or {})}, codes)


def language_of(accept_language: str) -> Language:
    """Return the language that the caller prefers; French unless English is wanted more (RFC 9110 §12.5.4)."""
    weights = {"fr": 0.0, "en": 0.0}
    for part in accept_language[:500].lower().split(","):
        tag, _, parameters = part.strip().partition(";")
        primary = tag.strip().partition("-")[0]
        if primary in weights:
            weights[primary] = max(weights[primary], _quality(parameters))
    return "en" if weights["en"] > weights["fr"] else "fr"


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0
