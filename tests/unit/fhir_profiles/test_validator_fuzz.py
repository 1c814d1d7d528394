"""No posted JSON makes a stage between bytes and verdict fail."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_profiles.bundle import parse
from fhir_profiles.french.finess import service_providers
from fhir_profiles.limits import Limits
from fhir_profiles.positions import with_positions
from fhir_profiles.validator import Validator, load_validator
from tests.support.posted import bundle

FR_CORE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient"
NAMES = st.sampled_from(("resourceType", "id", "meta", "profile", "identifier", "system", "value", "type", "unknown"))
NAMES |= st.sampled_from(("coding", "code", "reference", "subject", "contained", "extension", "url", "period"))
NAMES |= st.sampled_from(("serviceProvider", "partOf", "versionId"))
TEXTS = st.sampled_from(
    ["Patient", "Encounter", "Organization", "1", "#1", "Patient/1", "urn:uuid:1", "", "x", FR_CORE, FR_CORE + "|2"]
)
URLS = TEXTS | st.sampled_from(["Patient?identifier=a|b", "Patient?", "https://h.fr/Patient/1", "Encounter/1"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=5),
    max_leaves=12,
)
RESOURCES = st.builds(
    lambda kind, rest: rest | {"resourceType": kind},
    st.sampled_from(["Patient", "Encounter", "Organization", "Observation", "Claim", "Bundle", "Nothing"]),
    st.dictionaries(NAMES, VALUES, max_size=6),
)
REQUESTS = st.fixed_dictionaries({"method": st.sampled_from(["PUT", "POST", "DELETE", "GET", "x", None]), "url": URLS})
ENTRIES = st.fixed_dictionaries(
    {}, optional={"resource": RESOURCES | VALUES, "request": REQUESTS | VALUES, "fullUrl": URLS | VALUES}
)


@pytest.fixture(scope="module")
def validator() -> Validator:
    return load_validator()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(VALUES | ENTRIES, max_size=4),
    st.sampled_from(["transaction", "batch", "collection", "document", "message"]),
)
def test_every_bundle_gets_a_verdict_and_the_same_one_again(
    validator: Validator, entries: list[Any], kind: str
) -> None:
    content = json.dumps(bundle(kind, *entries)).encode()
    parsed = parse(content, Limits())

    found = validator.validate(parsed)

    assert found == validator.validate(parse(content, Limits()))
    assert len(with_positions(found.issues, content)) == len(found.issues)
    assert service_providers(parsed) == service_providers(parsed)
    refused = {number for number, issues in found.entry_issues.items() if any(one.blocks for one in issues)}
    if found.valid is not None:
        assert not refused.intersection(found.valid.accepted)
        assert kind == "batch" or not refused
