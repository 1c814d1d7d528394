"""The FINESS of a service provider is found through the organizations of the request."""

from __future__ import annotations

from typing import Any

from fhir_profiles.bundle import parse
from fhir_profiles.french.finess import foreign_providers, service_providers
from fhir_profiles.french.identifiers import FINESS, FR_V2_0203, IDNST
from fhir_profiles.limits import Limits
from tests.support.posted import body, bundle, put

SITE, LEGAL, ELSEWHERE = "350005179", "350009999", "580008803"
UNIT = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"


def organization(resource_id: str, *identifiers: dict[str, Any], part_of: str | None = None) -> dict[str, Any]:
    above = {"partOf": {"reference": part_of}} if part_of else {}
    return {"resourceType": "Organization", "id": resource_id, "identifier": list(identifiers)} | above


def finess(value: str, code: str = "FINEG") -> dict[str, Any]:
    return {"system": FINESS, "value": value, "type": {"coding": [{"system": FR_V2_0203, "code": code}]}}


def stay(provider: dict[str, Any], **elements: Any) -> dict[str, Any]:
    return {"resourceType": "Encounter", "id": "e", "serviceProvider": provider} | elements


def posted(*entries: dict[str, Any]) -> Any:
    return parse(body(bundle("transaction", *entries)), Limits())


def test_a_provider_is_followed_up_to_its_legal_entity() -> None:
    parsed = posted(
        put(stay({"reference": UNIT})),
        put(organization("u", part_of="Organization/s"), fullUrl=UNIT),
        put(organization("s", finess(SITE), part_of="Organization/l")),
        put(organization("l", {"system": IDNST, "value": "1" + LEGAL})),
    )

    assert service_providers(parsed) == [(0, SITE), (0, LEGAL)]
    assert foreign_providers(parsed, {LEGAL}) == []
    assert foreign_providers(parsed, {SITE}) == []
    assert foreign_providers(parsed, {ELSEWHERE}) == [0]


def test_an_identifier_in_the_reference_and_a_claim_count_too() -> None:
    claim = {"resourceType": "Claim", "id": "c", "provider": {"identifier": {"system": FINESS, "value": SITE}}}
    contained = stay({"reference": "#o"}, contained=[organization("o", finess(ELSEWHERE))])
    parsed = posted(put(claim), put(contained))

    assert service_providers(parsed) == [(0, SITE), (1, ELSEWHERE)]
    assert foreign_providers(parsed, {SITE}) == [1]


def test_what_cannot_be_followed_says_nothing() -> None:
    circle = [put(organization("a", part_of="Organization/b")), put(organization("b", part_of="Organization/a"))]
    parsed = posted(
        put(stay({"reference": "Organization/unknown"})),
        put(stay({"reference": "Organization/a"}) | {"id": "e2"}),
        put(stay({}) | {"id": "e3"}),
        put({"resourceType": "Encounter", "id": "e4", "serviceProvider": "text"}),
        *circle,
    )

    assert service_providers(parsed) == []
    assert foreign_providers(parsed, {SITE}) == []
