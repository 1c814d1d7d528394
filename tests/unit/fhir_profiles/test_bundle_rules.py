"""Each rule of the Bundle has its code, at the entry that breaks it."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_profiles.bundle import parse
from fhir_profiles.bundle_rules import all_plain, check_bundle, check_entries
from fhir_profiles.limits import Limits
from tests.support.posted import body, bundle, observation, patient, post, put

LIMITS = Limits()
URL = "https://h.fr/fhir/Patient/p1"
OTHER = "https://h.fr/fhir/Patient/p2"
Found = list[tuple[str, str]]


def found(posted: dict[str, Any]) -> Found:
    parsed = parse(body(posted), LIMITS)
    issues = check_bundle(parsed) + [one for _, one in check_entries(parsed)]
    return [(one.code, one.expression) for one in issues]


def request(method: str, url: str, **conditions: str) -> dict[str, Any]:
    return {"method": method, "url": url} | conditions


@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_a_right_bundle_with_requests_has_no_issue(kind: str) -> None:
    right = bundle(
        kind,
        put(patient(), fullUrl=URL),
        post(observation(), fullUrl="urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"),
        {"request": request("DELETE", "Patient/9")},
        {"resource": patient("p3"), "request": request("PUT", "Patient?identifier=https%3A%2F%2Fh.fr%7C12")},
        {"resource": patient("p4"), "request": request("PUT", "https://h.fr/fhir/Patient/p4")},
    )

    assert found(right) == []


def test_right_bundles_without_requests_have_no_issue() -> None:
    header = {"resource": {"resourceType": "MessageHeader"}, "fullUrl": "urn:uuid:1"}
    composition = {"resource": {"resourceType": "Composition"}, "fullUrl": "urn:uuid:2"}
    named = {"identifier": {"system": "s", "value": "v"}, "timestamp": "2024-01-01T00:00:00Z"}

    assert found(bundle("collection", {"resource": patient(), "fullUrl": URL})) == []
    assert found(bundle("message", header)) == []
    assert found(bundle("document", composition, **named)) == []


@pytest.mark.parametrize(
    ("posted", "expected"),
    [
        (bundle("message", {"resource": patient(), "fullUrl": URL}), [("message-header-first", "Bundle")]),
        (bundle("message"), [("message-header-first", "Bundle")]),
        (
            bundle("document", {"resource": patient(), "fullUrl": URL}),
            [("composition-first", "Bundle"), ("document-identifier", "Bundle"), ("document-timestamp", "Bundle")],
        ),
        ({"resourceType": "Bundle", "type": "transaction"}, [("bundle-empty", "Bundle")]),
        (bundle("batch", put(patient()), total=1), [("bundle-total", "Bundle.total")]),
        (bundle("batch", {"resource": patient()}), [("entry-request-missing", "Bundle.entry[0]")]),
        (
            bundle("collection", put(patient(), fullUrl=URL)),
            [("entry-request-forbidden", "Bundle.entry[0].request")],
        ),
        (bundle("batch", put(patient(), response={})), [("entry-response", "Bundle.entry[0].response")]),
        (bundle("batch", put(patient(), search={})), [("entry-search", "Bundle.entry[0].search")]),
        (bundle("batch", {"request": request("POST", "Patient")}), [("entry-resource-missing", "Bundle.entry[0]")]),
        (bundle("collection", {"fullUrl": URL}), [("entry-resource-missing", "Bundle.entry[0]")]),
        (
            bundle("collection", {"fullUrl": URL, "resource": {"id": "1"}}),
            [("entry-resource-type-missing", "Bundle.entry[0].resource")],
        ),
        (
            bundle("collection", {"fullUrl": URL, "resource": {"resourceType": "Patients"}}),
            [("resource-type-unknown", "Bundle.entry[0].resource")],
        ),
        (bundle("collection", {"resource": patient()}), [("fullurl-missing", "Bundle.entry[0]")]),
        (
            bundle("collection", {"resource": patient(), "fullUrl": "Patient/p1"}),
            [("fullurl-relative", "Bundle.entry[0].fullUrl")],
        ),
        (
            bundle("collection", {"resource": patient(), "fullUrl": f"{URL}/_history/1"}),
            [("fullurl-versioned", "Bundle.entry[0].fullUrl")],
        ),
        (
            bundle("collection", {"resource": patient(), "fullUrl": OTHER}),
            [("fullurl-mismatch", "Bundle.entry[0].fullUrl")],
        ),
        (
            bundle("collection", {"resource": patient(), "fullUrl": "https://h.fr/fhir/Person/p1"}),
            [("fullurl-mismatch", "Bundle.entry[0].fullUrl")],
        ),
    ],
)
def test_rules_of_the_bundle_and_its_entries(posted: dict[str, Any], expected: Found) -> None:
    assert found(posted) == expected


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        ("PUT", "Patient", ("request-url-put", "request.url")),
        ("PUT", "Patient/p1/_history/2", ("request-url-put", "request.url")),
        ("PUT", "Encounter/p1", ("request-url-type", "request.url")),
        ("PUT", "Patient/p2", ("resource-id-mismatch", "resource.id")),
        ("PUT", "Patient?name=x", ("conditional-url", "request.url")),
        ("PUT", "Patient?identifier=value", ("conditional-url", "request.url")),
        ("PUT", "Patient?identifier=s|v&active=true", ("conditional-url", "request.url")),
        ("PUT", "Encounter?identifier=s|v", ("request-url-type", "request.url")),
        ("POST", "Patient/p1", ("request-url-post", "request.url")),
        ("POST", "", ("request-url-post", "request.url")),
        ("POST", "$process", ("request-url-post", "request.url")),
        ("POST", "Encounter", ("request-url-type", "request.url")),
        ("GET", "Patient/p1", ("method-not-allowed", "request.method")),
        ("HEAD", "Patient/p1", ("method-not-allowed", "request.method")),
        ("PATCH", "Patient/p1", ("method-not-allowed", "request.method")),
        ("DELETE", "Patient/p1", ("delete-with-resource", "resource")),
    ],
)
def test_method_url_and_resource_agree(method: str, url: str, expected: tuple[str, str]) -> None:
    code, place = expected
    entry = {"resource": patient(), "request": request(method, url)}

    assert found(bundle("transaction", entry)) == [(code, f"Bundle.entry[0].{place}")]


@pytest.mark.parametrize(
    ("url", "code"), [("Patient", "request-url-put"), ("Patient?identifier=s|v", "conditional-delete")]
)
def test_a_deletion_names_one_resource(url: str, code: str) -> None:
    assert found(bundle("batch", {"request": request("DELETE", url)})) == [(code, "Bundle.entry[0].request.url")]


@pytest.mark.parametrize("condition", ["ifMatch", "ifNoneExist", "ifNoneMatch", "ifModifiedSince"])
def test_conditions_are_not_supported(condition: str) -> None:
    entry = {"resource": patient(), "request": request("PUT", "Patient/p1", **{condition: "x"})}

    assert found(bundle("batch", entry)) == [("condition-not-supported", f"Bundle.entry[0].request.{condition}")]


def test_two_entries_never_write_one_resource() -> None:
    conditional = {"resource": {"resourceType": "Patient"}, "request": request("PUT", "Patient?identifier=s|v")}
    deletion = {"request": request("DELETE", "Patient/p1")}
    twice = [("identity-repeated", "Bundle.entry[1]")]

    assert found(bundle("transaction", put(patient()), put(patient()))) == twice
    assert found(bundle("transaction", put(patient()), deletion)) == twice
    assert found(bundle("transaction", conditional, conditional)) == twice
    assert found(bundle("batch", put(patient()), put(patient()))) == twice


def test_a_repeated_full_url_is_told_once_and_versions_are_told_apart() -> None:
    first, second = patient(meta={"versionId": "1"}), patient(meta={"versionId": "2"})
    same = bundle("collection", {"resource": first, "fullUrl": URL}, {"resource": first, "fullUrl": URL})
    versions = bundle("collection", {"resource": first, "fullUrl": URL}, {"resource": second, "fullUrl": URL})

    assert found(same) == [("fullurl-repeated", "Bundle.entry[1].fullUrl")]
    assert found(versions) == []


def test_one_resource_put_carries_the_id_of_its_address() -> None:
    def codes(resource: dict[str, Any]) -> Found:
        parsed = parse(body(resource), LIMITS, expected_type="Patient", method="PUT", resource_id="p1")
        return [(one.code, one.expression) for _, one in check_entries(parsed)]

    assert codes(patient("p1")) == []
    assert codes(patient("p2")) == [("resource-id-mismatch", "Patient.id")]
    assert codes({"resourceType": "Patient"}) == [("resource-id-missing", "Patient")]


FULL_URL = "https://h.example/fhir/Patient/p1"


@pytest.mark.parametrize(
    ("changes", "plain"),
    [
        ({}, True),
        ({"fullUrl": "http://h.example/Patient/p1"}, True),
        ({"fullUrl": "https://h.example/fhir/Patient/p2"}, False),
        ({"fullUrl": "https://h .example/fhir/Patient/p1"}, False),
        ({"fullUrl": "https://h\u00e9.example/Patient/p1"}, False),
        ({"fullUrl": "https://h.example/_history/Patient/p1"}, False),
        ({"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000000"}, False),
        ({"fullUrl": None}, False),
        ({"search": {}}, False),
        ({"request": {"method": "PUT", "url": "Patient/p2"}}, False),
        ({"request": {"method": "PUT", "url": "Patient/p1", "ifMatch": "x"}}, False),
        ({"request": {"method": "POST", "url": "Patient"}}, False),
        ({"request": {"method": "PUT", "url": "Patient?identifier=a|b"}}, False),
        ({"resource": patient("p2")}, False),
        ({"resource": {"resourceType": "Nothing", "id": "p1"}}, False),
        ({"resource": None}, False),
    ],
)
def test_an_entry_is_plain_only_when_nothing_of_it_can_be_wrong(changes: dict[str, Any], plain: bool) -> None:
    entry = put(patient("p1"), fullUrl=FULL_URL) | changes

    assert all_plain(parse(body(bundle("transaction", entry)), Limits())) is plain


@pytest.mark.parametrize("listed", [[], None, {}, "x"])
def test_a_bundle_without_entries_is_read_as_a_whole(listed: object) -> None:
    assert not all_plain(parse(body({"resourceType": "Bundle", "type": "batch", "entry": listed}), Limits()))
