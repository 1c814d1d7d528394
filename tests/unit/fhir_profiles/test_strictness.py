"""What a caller asks to be judged otherwise than the gateway judges it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_profiles.bundle import parse
from fhir_profiles.issues import Issue
from fhir_profiles.limits import Limits
from fhir_profiles.strictness import JUDGEMENTS, USUAL, Strictness, strict_issues, strictness_of
from fhir_profiles.validator import Validator
from gateway.cli.commands_exchange import Judgement

Json = dict[str, Any]
STRANGER = "https://somewhere.test/fhir/StructureDefinition/something"
EXAMPLE = "http://example.org/fhir/StructureDefinition/something"


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator.load()


def judged(validator: Validator, content: Json, *words: str) -> list[tuple[str, str, str]]:
    parsed = parse(orjson.dumps(content), Limits(), any_bundle=True)
    found = validator.validate(parsed, french_profiles="declared", strictness=strictness_of(words)).issues
    return [(one.code, one.expression, one.severity) for one in found]


def extended(url: str) -> Json:
    return {"resourceType": "Patient", "_birthDate": {"extension": [{"url": url, "valueString": "x"}]}}


def test_an_unknown_extension_is_as_heavy_as_the_caller_says(validator: Validator) -> None:
    place = "Patient.birthDate.extension[0]"

    assert judged(validator, extended(STRANGER)) == [("extension-unknown", place, "information")]
    assert judged(validator, extended(STRANGER), "unknown-extensions=error") == [("extension-unknown", place, "error")]


def test_an_extension_at_an_example_url_is_judged_as_example_urls_are(validator: Validator) -> None:
    place = "Patient.birthDate.extension[0]"

    usual = judged(validator, extended(EXAMPLE), "unknown-extensions=error")
    strict = judged(validator, extended(EXAMPLE), "unknown-extensions=error", "example-urls=error")

    assert usual == [("extension-unknown", place, "information")]
    assert strict == [("extension-unknown", place, "error"), ("example-url", f"{place}.url", "error")]


def test_example_urls_are_found_wherever_a_type_has_a_url(validator: Validator) -> None:
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "contained": [
            {
                "resourceType": "Organization",
                "id": "o",
                "identifier": [{"system": "https://ACME.com:8/x", "value": "1"}],
            }
        ],
        "custodian": {"reference": "#o"},
        "content": [{"attachment": {"url": "http://files.example.net/a"}}, {"attachment": {"url": "http://x.test/"}}],
    }

    found = judged(validator, document, "example-urls=warning")

    assert [one for one in found if one[0] == "example-url"] == [
        ("example-url", "DocumentReference.contained[0].identifier[0].system", "warning"),
        ("example-url", "DocumentReference.content[0].attachment.url", "warning"),
    ]


@pytest.mark.parametrize("text", ["a <b>c</b>", "<script>x", "<br/>", "<!-- x", '<a href="x">'])
def test_a_tag_in_a_string_is_found_and_not_in_a_narrative(validator: Validator, text: str) -> None:
    patient = {
        "resourceType": "Patient",
        "name": [{"text": text}],
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>x</p></div>'},
    }

    assert judged(validator, patient) == []
    assert judged(validator, patient, "html-in-strings=error") == [("html-in-string", "Patient.name[0].text", "error")]


@pytest.mark.parametrize("text", ["a < b > c", "x<3", "<1 mg/L", "1 <2> 3", "->"])
def test_signs_of_comparison_are_no_tags(validator: Validator, text: str) -> None:
    patient = {"resourceType": "Patient", "name": [{"text": text}]}

    assert judged(validator, patient, "html-in-strings=error") == []


def test_what_is_asked_counts_in_the_verdict_of_the_entry_that_holds_it(validator: Validator) -> None:
    patient = {"resourceType": "Patient", "id": "p", "name": [{"text": "<b>x</b>"}]}
    bundle = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [
            {"resource": patient, "request": {"method": "PUT", "url": "Patient/p"}},
            {"resource": {"resourceType": "Patient", "id": "q"}, "request": {"method": "PUT", "url": "Patient/q"}},
        ],
    }
    parsed = parse(orjson.dumps(bundle), Limits())

    verdict = validator.validate(
        parsed, french_profiles="declared", strictness=Strictness(html_in_strings="error", example_urls="error")
    )

    assert verdict.valid is not None
    assert verdict.valid.accepted == (1,)


def test_a_reference_that_leads_nowhere_can_be_a_warning(validator: Validator) -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {
                "fullUrl": "urn:uuid:9ce2a97b-5cab-4986-814f-4734016e6084",
                "resource": {
                    "resourceType": "Patient",
                    "managingOrganization": {"reference": "urn:uuid:23ac0bc6-0959-4181-8af0-6db5e2ef8176"},
                },
            }
        ],
    }

    [usual] = judged(validator, bundle)
    [lenient] = judged(validator, bundle, "unresolved-references=warning")

    assert (usual[0], usual[2]) == ("reference-unresolved", "error")
    assert (lenient[0], lenient[2]) == ("reference-unresolved", "warning")


def test_nobody_asks_for_what_there_is_not() -> None:
    assert strictness_of(()) == USUAL
    assert [one.value for one in Judgement] == list(JUDGEMENTS)
    with pytest.raises(ValueError, match="no such judgement"):
        strictness_of(["html=error"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["http://example.org", "<b>"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["extension", "url", "name", "text", "contained", "resourceType", "valueUri", "_url"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["name", "_birthDate", "contained", "extension", "text"]), json_values))
def test_anything_may_stand_anywhere(content: Json) -> None:
    found = list(strict_issues(content | {"resourceType": "Patient"}, "Patient", Strictness("error", None, "error")))

    assert all(isinstance(one, Issue) and one.quote is None for one in found)
