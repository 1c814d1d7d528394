"""One table of statuses; every refusal is an OperationOutcome that fhir.resources accepts, in two languages."""

from __future__ import annotations

import json

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from fhir_profiles import errors
from fhir_profiles.issues import issue
from gateway.outcomes import STATUS, entry_status, language_of, refusal, status_of

REFUSALS: list[tuple[errors.PipelineError, int]] = [
    (errors.Malformed(issue("json-invalid")), 400),
    (errors.Malformed(issue("body-too-slow", limit="10")), 408),
    (errors.Unauthenticated(issue("unauthenticated")), 401),
    (errors.Forbidden(issue("scope-missing", scope="write")), 403),
    (errors.NotFound(issue("route-unknown")), 404),
    (errors.MethodNotAllowed(issue("route-method", allowed="POST")), 405),
    (errors.TooLarge(issue("body-too-large", limit="1")), 413),
    (errors.Unsupported(issue("media-type")), 415),
    (errors.Invalid(issue("bundle-type-missing")), 422),
    (errors.Busy("quota"), 429),
    (errors.Busy("quota-concurrency"), 429),
    (errors.Busy("saturated"), 503),
    (errors.Busy("bytes-in-flight"), 503),
    (errors.Unavailable("log-disk"), 503),
    (errors.Unavailable("a-code-of-tomorrow"), 503),
    (errors.Fault("a-bug"), 500),
]


@pytest.mark.parametrize(("error", "status"), REFUSALS, ids=lambda one: getattr(one, "code", one))
@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_failure_has_its_status_and_an_outcome(error: errors.PipelineError, status: int, language: str) -> None:
    answer = refusal(error, "fr" if language == "fr" else "en")
    outcome = json.loads(answer.body)

    assert int(answer.status) == status == int(status_of(error))
    assert OperationOutcome.model_validate(outcome).issue
    assert answer.headers["Content-Type"].startswith("application/fhir+json")
    assert answer.headers["Content-Language"] == language
    assert "{" not in outcome["issue"][0]["details"]["text"]


def test_only_what_may_be_sent_again_says_when() -> None:
    for error, status in REFUSALS:
        retry = refusal(error, "fr").headers.get("Retry-After")
        assert (retry is not None and int(retry) >= 1) == (status in (429, 503))


def test_the_table_holds_every_failure_that_http_can_meet() -> None:
    kinds = {
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PipelineError)
    }

    answered = kinds - {errors.PipelineError, errors.Refused, errors.Poisoned, errors.Misconfigured}

    assert answered == set(STATUS)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "fr"), ("en", "en"), ("fr", "fr"), ("de", "fr"), ("en-GB,en;q=0.9", "en"), ("fr-FR, en;q=0.8", "fr"),
        ("en;q=0.5, fr;q=0.4", "en"), ("fr;q=0, en;q=0.1", "en"), ("*", "fr"), ("en;q=x", "fr"), ("EN", "en"),
        (";;;,,,=", "fr"), ("en;q=9", "fr"), ("en" * 10_000, "fr"),
    ],
)  # fmt: skip
def test_the_language_is_the_one_preferred_and_french_by_default(header: str, language: str) -> None:
    assert language_of(header) == language


def test_a_refused_entry_has_its_own_status() -> None:
    assert entry_status([issue("method-not-allowed")]) == "405 Method Not Allowed"
    assert entry_status([issue("entry-resource-missing")]) == "422 Unprocessable Entity"
    assert entry_status([issue("method-not-allowed"), issue("entry-resource-missing")]) == "422 Unprocessable Entity"
    assert entry_status([issue("method-not-allowed"), issue("fullurl-missing")]) == "405 Method Not Allowed"
