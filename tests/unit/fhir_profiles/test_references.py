"""References find their resource inside the request, and those that never can are named."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_profiles.bundle import parse
from fhir_profiles.limits import Limits
from fhir_profiles.references import BundleIndex, Link, check_references, conditional, restful, searched_identifier
from tests.support.posted import body, bundle, observation, patient, post, put

LIMITS = Limits()
UUID = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
BASE = "https://h.fr/fhir/"


def to(reference: str) -> dict[str, Any]:
    return {"subject": {"reference": reference}}


def unresolved(posted: dict[str, Any]) -> list[tuple[int, str, str, str]]:
    parsed = parse(body(posted), LIMITS)
    return [
        (number, one.code, one.severity, one.expression)
        for number, one in check_references(parsed, BundleIndex(parsed))
    ]


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("Patient/1", Link("Patient", "1")),
        ("/Patient/1", Link("Patient", "1")),
        ("https://h.fr/fhir/Patient/a-b.c", Link("Patient", "a-b.c", BASE)),
        ("http://h.fr/Patient/1/_history/3", Link("Patient", "1", "http://h.fr/", "3")),
        ("Patient", None),
        ("Patient/", None),
        ("patient/1", None),
        ("Patient/a b", None),
        ("Patient/" + "1" * 65, None),
        ("Patient/1/_history/", None),
        ("ftp://h.fr/Patient/1", None),
        ("x/Patient/1", None),
        ("Patient?identifier=a|b", None),
        (UUID, None),
        ("#p", None),
    ],
)
def test_restful_urls_are_read(url: str, link: Link | None) -> None:
    assert restful(url) == link


def test_a_link_shows_no_id() -> None:
    assert repr(Link("Patient", "secret", BASE)) == "Link(Patient)"


def test_conditional_urls_are_read() -> None:
    assert conditional("Patient?identifier=s|v") == ("Patient", "identifier=s|v")
    assert conditional("https://h.fr/fhir/Patient?identifier=s|v") == ("Patient", "identifier=s|v")
    assert conditional("Patients?identifier=s|v") is None
    assert searched_identifier("identifier=https%3A%2F%2Fh.fr%7C12") == ("https://h.fr", "12")
    assert [searched_identifier(query) for query in ("identifier=v", "identifier=|v", "name=x", "", "a=1&a=2")] == [
        None
    ] * 5


@pytest.mark.parametrize("kind", ["transaction", "collection", "message", "document"])
@pytest.mark.parametrize("reference", [UUID, "urn:oid:1.2.3"])
def test_an_unresolved_urn_is_an_error_where_entries_belong_together(kind: str, reference: str) -> None:
    posted = bundle(kind, post(observation(**to(reference))))

    assert unresolved(posted) == [(0, "reference-unresolved", "error", "Bundle.entry[0].resource.subject.reference")]


def test_in_a_batch_or_alone_it_is_a_warning() -> None:
    assert [one[2] for one in unresolved(bundle("batch", post(observation(**to(UUID)))))] == ["warning"]
    assert [one[2] for one in unresolved(observation(**to(UUID)))] == ["warning"]


def test_a_reference_between_entries_of_a_batch_is_a_warning() -> None:
    posted = bundle("batch", post(patient(), fullUrl=UUID), post(observation(**to(UUID))))

    assert [one[:3] for one in unresolved(posted)] == [(1, "reference-between-batch-entries", "warning")]


@pytest.mark.parametrize(
    "reference", ["Patient/9", BASE + "Patient/9", "Patient?identifier=s|v", UUID, "#", "other text"]
)
def test_other_references_need_not_be_resolved(reference: str) -> None:
    posted = bundle("transaction", post(patient(), fullUrl=UUID), post(observation(**to(reference))))

    assert unresolved(posted) == []


def test_contained_references_resolve_in_their_resource() -> None:
    inside = {"contained": [patient("in")]}
    right = post(observation(**inside, **to("#in")))
    wrong = post(observation(**inside, **to("#out")))
    circular = {"contained": [observation("in", hasMember=[{"reference": "#in"}], focus=[{"reference": "#"}])]}

    assert unresolved(bundle("transaction", right, wrong, post(observation(**circular, **to("#in"))))) == [
        (1, "reference-contained-missing", "error", "Bundle.entry[1].resource.subject.reference")
    ]


def test_a_choice_of_references_has_the_path_that_fhirpath_gives_it() -> None:
    request = {"resourceType": "MedicationRequest", "medicationReference": {"reference": "#m"}}

    assert [one[3] for one in unresolved(request)] == ["MedicationRequest.medication.ofType(Reference).reference"]


def test_a_document_with_two_versions_says_which_one_it_means() -> None:
    url = BASE + "Observation/o1"
    versions = [{"resource": observation(meta={"versionId": number}), "fullUrl": url} for number in ("1", "2")]
    texts = ["Observation/o1", "Observation/o1/_history/2", "Observation/o1/_history/3", "Patient/9"]
    members = observation("o2", hasMember=[{"reference": text} for text in texts])
    posted = bundle("document", {"resource": members, "fullUrl": BASE + "Observation/o2"}, *versions)

    assert [one[1:] for one in unresolved(posted)] == [
        ("reference-ambiguous", "error", f"Bundle.entry[0].resource.hasMember[{number}].reference") for number in (0, 2)
    ]


def test_the_resolver_follows_full_url_base_then_type_and_id() -> None:
    first = {"resource": patient("p1"), "fullUrl": BASE + "Patient/p1"}
    second = {"resource": patient("p2"), "fullUrl": UUID}
    asking = {"resource": observation("o1"), "fullUrl": BASE + "Observation/o1"}
    parsed = parse(body(bundle("collection", first, second, asking)), LIMITS)
    resolve = BundleIndex(parsed).resolver(parsed.entries[2])

    ids = {
        text: found["id"] if (found := resolve(text)) else None
        for text in (BASE + "Patient/p1", "Patient/p1", UUID, "Patient/p2", BASE + "Patient/p2", "Patient/p3", "#x", "")
    }

    assert list(ids.values()) == ["p1", "p1", "p2", "p2", None, None, None, None]


def test_put_urls_resolve_without_full_urls() -> None:
    parsed = parse(body(bundle("transaction", put(patient("p1")), put(observation("o1")))), LIMITS)

    found = BundleIndex(parsed).resolver(parsed.entries[1])("Patient/p1")

    assert found is not None
    assert found["id"] == "p1"
