"""Bundles scrubbed in a test: parse, take every entry as valid, scrub, read the bodies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from fhir_profiles.bundle import parse
from fhir_profiles.limits import Limits
from fhir_profiles.values import ValidBundle
from transformers.contract import Contract
from transformers.deidentify.keys import GatewayKeys
from transformers.deidentify.pseudonyms import HospitalKey, Key, LedgerKey, PlatformKey
from transformers.deidentify.rules import Rules, load_rules
from transformers.deidentify.scrub import scrub
from transformers.deidentify.values import Scrubbed

FINESS = "750712184"
CONTRACT = Contract(finess=FINESS)
TEST_CONTRACT = Contract(finess=FINESS, test=True)
GATEWAY = "urn:snds-gateway:"
V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
FR_TYPES = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
VISIT_TYPES = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-identifier-type"
INS_NIR = "urn:oid:1.2.250.1.213.1.4.8"
INS_NIA = "urn:oid:1.2.250.1.213.1.4.9"
INS_TEST = "urn:oid:1.2.250.1.213.1.4.10"

Json = dict[str, Any]


def keys(platform: int = 1, hospital: int = 2, *, finess: str = FINESS) -> GatewayKeys:
    """Keys of these tests, the same in each run."""
    return GatewayKeys(
        PlatformKey(Key(bytes([platform] * 32))),
        HospitalKey(Key(bytes([hospital] * 32)), finess),
        LedgerKey(Key(bytes([9] * 32))),
    )


KEYS = keys()


def valid(posted: Json, **route: Any) -> ValidBundle:
    parsed = parse(orjson.dumps(posted), Limits(), **route)
    return ValidBundle(parsed, tuple(range(len(parsed.entries))))


def scrubbed(
    posted: Json,
    *,
    contract: Contract = CONTRACT,
    source: str = "main",
    with_keys: GatewayKeys = KEYS,
    rules: Rules | None = None,
    explain: bool = False,
    **route: Any,
) -> Scrubbed:
    return scrub(
        valid(posted, **route),
        contract=contract,
        source=source,
        keys=with_keys,
        rules=rules or load_rules(),
        explain=explain,
    )


def contents(result: Scrubbed) -> list[Json]:
    """Every resource and fact that leaves, in order."""
    return [entry["resource"] for bundle in result.bundles for entry in orjson.loads(bundle.body)["entry"]]


def only(result: Scrubbed, resource_type: str) -> Json:
    """The one resource of a type that leaves."""
    [found] = resources(result, resource_type)
    return found


def resources(result: Scrubbed, resource_type: str) -> list[Json]:
    """The resources of a type that leave."""
    return [one for one in contents(result) if one["resourceType"] == resource_type]


def fact(result: Scrubbed, code: str) -> Json | None:
    """The one fact of a code, None when it was not made."""
    found = [
        one for one in contents(result) if one["resourceType"] == "Basic" and one["code"]["coding"][0]["code"] == code
    ]
    assert len(found) <= 1
    return found[0] if found else None


def values(resource: Mapping[str, Any], system: str) -> list[str]:
    """The identifiers of one of our systems."""
    return [one["value"] for one in resource.get("identifier", ()) if one["system"] == GATEWAY + system]


def key(resource: Mapping[str, Any]) -> str:
    [found] = values(resource, "resource")
    return found


def extension(resource: Mapping[str, Any], name: str) -> Any:
    """The value of one of our extensions, None when it is not there."""
    for one in resource.get("extension", ()):
        if one["url"] == GATEWAY + name:
            return next(value for field, value in one.items() if field != "url")
    return None


def flags(resource: Mapping[str, Any]) -> set[str]:
    return {tag["code"] for tag in resource.get("meta", {}).get("tag", ()) if tag["system"] == GATEWAY + "flag"}


def identifier(code: str, system: str, value: str, *, types: str = V2_0203, **rest: Any) -> Json:
    return {"type": {"coding": [{"system": types, "code": code}]}, "system": system, "value": value} | rest


def ipp(value: str = "IPP-1", system: str = "urn:oid:1.2.250.1.71.4.2.2.750712184.1") -> Json:
    return identifier("PI", system, value)


def ins(value: str = "285094415372654", system: str = INS_NIR, code: str = "INS-NIR", **rest: Any) -> Json:
    return identifier(code, system, value, types=FR_TYPES, **rest)


def visit(value: str = "NDA-1", system: str = "https://hopital.example/nda") -> Json:
    return identifier("VN", system, value, types=VISIT_TYPES)


def patient(resource_id: str | None = "p1", **elements: Any) -> Json:
    own = {} if resource_id is None else {"id": resource_id}
    return {"resourceType": "Patient"} | own | {"gender": "female", "birthDate": "1985-09-21"} | elements


def encounter(resource_id: str | None = "e1", **elements: Any) -> Json:
    own = {} if resource_id is None else {"id": resource_id}
    usual = {
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"reference": "Patient/p1"},
        "period": {"start": "2024-03-01T08:15:42.123+01:00", "end": "2024-03-05"},
    }
    return {"resourceType": "Encounter"} | own | usual | elements


def observation(resource_id: str | None = "o1", **elements: Any) -> Json:
    own = {} if resource_id is None else {"id": resource_id}
    usual = {
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": "Patient/p1"},
    }
    return {"resourceType": "Observation"} | own | usual | elements


def collection(*resources: Json, **elements: Any) -> Json:
    """A collection; a resource with an id stands under its RESTful url, another under a urn."""
    entries = []
    for number, one in enumerate(resources):
        own = one.get("id")
        url = f"https://dpi.example/fhir/{one['resourceType']}/{own}" if own else urn(number)
        entries.append({"fullUrl": url, "resource": one})
    return {"resourceType": "Bundle", "type": "collection", "entry": entries} | elements


def urn(number: int) -> str:
    return f"urn:uuid:00000000-0000-4000-8000-{number:012d}"


def batch(entries: Iterable[Json]) -> Json:
    return {"resourceType": "Bundle", "type": "batch", "entry": list(entries)}
