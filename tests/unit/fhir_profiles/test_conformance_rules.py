"""Rules of SearchParameters and StructureDefinitions that no profile states."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_profiles.conformance_rules import conformance_issues
from fhir_profiles.issues import Issue
from fhir_profiles.validator import Validator

Json = dict[str, Any]
NAME = "http://hl7.org/fhir/SearchParameter/Organization-name"


def codes(kind: str, **content: Any) -> list[tuple[str, str]]:
    found = conformance_issues(kind, {"resourceType": kind, **content}, kind)
    return [(one.code, one.expression) for one in found]


def parameter(**changes: Any) -> list[tuple[str, str]]:
    usual = {
        "derivedFrom": NAME,
        "base": ["Organization"],
        "type": "string",
        "expression": "Organization.alias |  Organization.name",
    }
    return codes("SearchParameter", **(usual | changes))


def test_a_derived_search_parameter_stays_within_the_other() -> None:
    assert parameter() == []
    assert parameter(type="token") == [("search-parameter-type", "SearchParameter.type")]
    assert parameter(base=["Organization", "Patient"]) == [("search-parameter-base", "SearchParameter.base[1]")]
    assert parameter(expression="Organization.name") == [
        ("search-parameter-other-expression", "SearchParameter.expression")
    ]


def test_a_parameter_of_all_resources_may_be_derived_for_any() -> None:
    of_all = "http://hl7.org/fhir/SearchParameter/Resource-lastUpdated"

    assert parameter(derivedFrom=of_all, type="date", expression="Organization.meta.lastUpdated") == [
        ("search-parameter-other-expression", "SearchParameter.expression")
    ]


def test_a_parameter_that_r4_does_not_know_is_not_compared() -> None:
    assert parameter(derivedFrom="http://x.test/SearchParameter/y", type="token") == [
        ("search-parameter-unknown", "SearchParameter.derivedFrom")
    ]


@pytest.mark.parametrize(
    ("expression", "fails"),
    [
        ("Organization.name", True),
        ("(Organization.contact.address as Address).city", True),
        ("Organization.name[0] | Encounter.serviceProvider.where(resolve() is Organization)", True),
        ("Organization.name | Patient.name", False),
        ("name", False),
        ("Resource.id", False),
        ("(((", False),
    ],
)
def test_an_expression_starts_at_a_base(expression: str, *, fails: bool) -> None:
    found = codes("SearchParameter", base=["Patient"], expression=expression)

    assert found == ([("search-parameter-expression", "SearchParameter.expression")] if fails else [])


def sliced(kind: str, path: str, discriminator: str, **element: Any) -> list[tuple[str, str]]:
    slicing = {"discriminator": [{"type": "value", "path": discriminator}], "rules": "open"}
    elements = [{"id": kind, "path": kind}, {"id": path, "path": path, "slicing": slicing, **element}]
    return codes("StructureDefinition", type=kind, differential={"element": elements})


@pytest.mark.parametrize(
    ("kind", "path", "discriminator"),
    [
        ("Patient", "Patient.identifier", "type.coding.code"),
        ("Patient", "Patient.extension", "url"),
        ("Patient", "Patient.contact", "relationship"),
        ("Patient", "Patient.contact.telecom", "system"),
        ("Patient", "Patient.generalPractitioner", "resolve()"),
        ("Patient", "Patient.generalPractitioner", "resolve().code"),
        ("Patient", "Patient.identifier", "extension('http://x.test/y').value"),
        ("Observation", "Observation.value[x]", "$this"),
        ("Observation", "Observation.component", "value.ofType(Quantity).unit"),
        ("Observation", "Observation.component.valueQuantity", "unit"),
        ("Bundle", "Bundle.entry", "resource.status"),
        ("Questionnaire", "Questionnaire.item.item", "linkId"),
        ("Patient", "Patient.nonsense", "whatever"),
        ("Patient", "Patient.identifier", "%weird"),
    ],
)
def test_a_discriminator_that_leads_somewhere_is_right(kind: str, path: str, discriminator: str) -> None:
    assert sliced(kind, path, discriminator) == []


@pytest.mark.parametrize(
    ("kind", "path", "discriminator"),
    [
        ("Patient", "Patient.extension", "type"),
        ("Patient", "Patient.identifier", "type.codes"),
        ("Patient", "Patient.contact", "birthDate"),
        ("Observation", "Observation.component", "value.ofType(Address)"),
        ("Patient", "Patient.birthDate", "coding"),
    ],
)
def test_a_discriminator_that_leads_nowhere_is_an_error(kind: str, path: str, discriminator: str) -> None:
    place = "StructureDefinition.differential.element[1].slicing.discriminator[0]"

    assert sliced(kind, path, discriminator) == [("discriminator-leads-nowhere", place)]


def test_the_type_that_a_differential_names_counts() -> None:
    assert sliced("Observation", "Observation.value[x]", "unit", type=[{"code": "Quantity"}]) == []
    assert sliced("Observation", "Observation.value[x]", "coding", type=[{"code": "Quantity"}]) != []


@pytest.mark.shared
def test_the_published_guides_have_no_discriminator_that_leads_nowhere(shared: Path) -> None:
    found: list[Issue] = []
    read = 0
    for folder in ("fhir-fr", "fhir-fr-2.1.0", "fhir-eds", "fhir-r4/definitions"):
        for file in (shared / folder).rglob("StructureDefinition*.json"):
            definition = json.loads(file.read_text(encoding="utf-8-sig"))
            for view in ("differential", "snapshot"):
                read += view in definition
                found += conformance_issues(
                    "StructureDefinition",
                    definition | {"differential": definition.get(view, {})},
                    "StructureDefinition",
                )

    assert read > 300
    assert found == []


def capability(*formats: str, search: Json) -> list[tuple[str, str]]:
    statement = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2024-03-01",
        "kind": "requirements",
        "fhirVersion": "4.0.1",
        "format": list(formats),
        "description": "x",
        "rest": [
            {"mode": "server", "resource": [{"type": "Patient", "searchParam": [search]}], "searchParam": [search]}
        ],
    }
    found = Validator.load().validate_resource(statement, french_profiles="declared")
    return [(one.code, one.expression) for one in found if one.blocks]


def test_a_search_parameter_of_a_capability_statement_has_the_type_of_its_definition() -> None:
    search = {"name": "birthdate", "definition": "http://hl7.org/fhir/SearchParameter/individual-birthdate|4.0.1"}

    assert capability("application/fhir+json", search=search | {"type": "date"}) == []
    assert capability("application/fhir+json", search=search | {"type": "token"}) == [
        ("search-parameter-definition-type", "CapabilityStatement.rest[0].resource[0].searchParam[0].type"),
        ("search-parameter-definition-type", "CapabilityStatement.rest[0].searchParam[0].type"),
    ]


def test_a_capability_statement_may_say_xml_json_and_ttl_for_short_and_nothing_else() -> None:
    search = {"name": "x", "type": "token"}

    assert capability("xml", "json", "ttl", search=search) == []
    assert capability("xml", "yaml", search=search) == [("code-not-in-value-set", "CapabilityStatement.format[1]")]


def test_the_validator_asks_these_rules() -> None:
    broken = {"resourceType": "SearchParameter", "derivedFrom": NAME, "type": "token"}

    found = Validator.load().validate_resource(broken, french_profiles="declared")

    assert "search-parameter-type" in {one.code for one in found if one.blocks}


odd = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda one: (
        st.lists(one)
        | st.dictionaries(
            st.sampled_from(["element", "slicing", "discriminator", "path", "type", "code", "resource", "searchParam"]),
            one,
        )
    ),
)


@given(
    st.sampled_from(["SearchParameter", "StructureDefinition", "CapabilityStatement"]),
    st.dictionaries(st.sampled_from(["type", "differential", "base", "derivedFrom", "expression", "rest"]), odd),
)
def test_any_shape_may_come(kind: str, content: Json) -> None:
    assert all(one.quote is None for one in conformance_issues(kind, {"type": "Patient"} | content, kind))
