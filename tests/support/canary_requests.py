"""Requests and bundles that trigger the codes of HTTP, JSON and Bundle rules, full of canaries (P13)."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import orjson

from tests.support.canary_faults import FOREIGN, LIMITED, UNKNOWN, Attempt, Faults

Json = dict[str, Any]
MIB = 1 << 20


def attempts(faults: Faults) -> Iterator[Attempt]:
    """Every attempt: each resource is asked about (`$validate`) and sent."""
    for code, resource, asked in faults.resources():
        body = orjson.dumps(resource)
        kind = resource["resourceType"]
        yield Attempt(code, body, f"/fhir/{kind}/$validate" + (f"?profile={quote(asked)}" if asked else ""))
        yield Attempt(code, body, f"/fhir/{kind}")
    for code, bundle in bundles(faults):
        yield Attempt(code, orjson.dumps(bundle))
        yield Attempt(code, orjson.dumps(bundle), "/fhir/$validate")
    yield from documents(faults)
    yield from consents(faults)
    yield from requests(faults)


def bundles(faults: Faults) -> Iterator[tuple[str, Json]]:
    """Bundles with one fault each."""
    token, person, result = faults.token, faults.person, faults.result

    def bundle(kind: str, *entries: Json, **more: Any) -> Json:
        return {"resourceType": "Bundle", "type": kind, "id": token(), "entry": list(entries)} | more

    def put(resource: Json, method: str = "PUT", url: str = "", **more: Any) -> Json:
        written = url or f"{resource['resourceType']}/{resource['id']}"
        return {"resource": resource, "request": {"method": method, "url": written} | more}

    def held(resource: Json, **more: Any) -> Json:
        return {
            "fullUrl": f"https://{token()}.example/{resource['resourceType']}/{resource['id']}",
            "resource": resource,
        } | more

    yield "bundle-empty", {"resourceType": "Bundle", "type": "batch", "id": token()}
    yield "bundle-total", bundle("collection", held(person()), total=1)
    yield "bundle-type-missing", {"resourceType": "Bundle", "id": token(), "entry": [held(person())]}
    yield "bundle-type-not-accepted", bundle("searchset", held(person()))
    yield "message-header-first", bundle("message", held(person()))
    yield "composition-first", bundle("document", held(person()))
    yield "document-identifier", bundle("document", held(person()))
    yield "document-timestamp", bundle("document", held(person()))
    yield "entry-resource-missing", bundle("collection", {"fullUrl": f"https://{token()}.example/Patient/1"})
    yield "entry-resource-type-missing", bundle("collection", {"resource": {"id": token()}})
    yield "entry-request-missing", bundle("transaction", {"resource": person()})
    yield "entry-request-forbidden", bundle("collection", put(person()))
    yield "entry-response", bundle("batch", put(person()) | {"response": {"status": token()}})
    yield "entry-search", bundle("batch", put(person()) | {"search": {"mode": "match"}})
    yield "method-not-allowed", bundle("batch", put(person(), "GET"))
    yield "condition-not-supported", bundle("batch", put(person(), ifMatch=token()))
    yield "request-url-post", bundle("batch", put(person(), "POST", f"Patient/{token()}"))
    yield "request-url-put", bundle("batch", put(person(), "PUT", token()))
    yield "request-url-type", bundle("batch", put(person(), "PUT", f"Observation/{token()}"))
    yield "conditional-url", bundle("batch", put(person(), "PUT", f"Patient?name={token()}"))
    delete = {"request": {"method": "DELETE", "url": f"Patient?identifier={token()}"}}
    yield "conditional-delete", bundle("batch", delete)
    yield "delete-with-resource", bundle("batch", put(person(), "DELETE"))
    yield "fullurl-missing", bundle("collection", {"resource": person()})
    yield "fullurl-relative", bundle("collection", {"resource": person(), "fullUrl": token()})
    yield (
        "fullurl-versioned",
        bundle("collection", {"resource": person(), "fullUrl": f"https://{token()}.example/Patient/1/_history/1"}),
    )
    yield (
        "fullurl-mismatch",
        bundle("collection", {"resource": person(), "fullUrl": f"https://{token()}.example/Patient/{token()}"}),
    )
    twice = held(person())
    yield "fullurl-repeated", bundle("collection", twice, twice)
    one = person()
    yield "identity-repeated", bundle("transaction", put(one), put(one))
    yield (
        "resource-id-missing",
        bundle("batch", put({"resourceType": "Patient", "name": [{"text": token()}]}, url=f"Patient/{token()}")),
    )
    yield "resource-id-mismatch", bundle("batch", put(person(), url=f"Patient/{token()}"))
    lost = result(subject={"reference": "urn:uuid:00000000-0000-4000-8000-000000000009"})
    yield "reference-unresolved", bundle("collection", held(lost))
    urn = "urn:uuid:00000000-0000-4000-8000-000000000001"
    known = {"fullUrl": urn, "resource": person(), "request": {"method": "POST", "url": "Patient"}}
    yield "reference-between-batch-entries", bundle("batch", known, put(result(subject={"reference": urn})))
    url, ids = f"https://{token()}.example/Patient/1", {"id": "1"}
    versions = [{"fullUrl": url, "resource": person(**ids, meta={"versionId": version})} for version in ("1", "2")]
    composed = {
        "resourceType": "Composition", "id": token(), "status": "final", "type": {"text": token()}, "title": token(),
        "date": "2024-01-01", "author": [{"display": token()}], "subject": {"reference": url},
    }  # fmt: skip
    signed = {
        "identifier": {"system": f"https://{token()}.example", "value": token()},
        "timestamp": "2024-01-01T00:00:00Z",
    }
    yield "reference-ambiguous", bundle("document", held(composed), *versions, **signed)
    yield (
        "no-stable-identity",
        bundle("batch", put({"resourceType": "Patient", "name": [{"text": token()}]}, "POST", "Patient")),
    )
    other = faults.stay(
        subject={"reference": f"Patient/{token()}"},
        serviceProvider={"identifier": faults.identified("690781810", "https://finess.esante.gouv.fr", "FINEJ")},
    )
    yield "service-provider-foreign", bundle("batch", put(other))
    yield (
        "resource-type-unsupported",
        bundle(
            "batch",
            put(
                {
                    "resourceType": "CodeSystem",
                    "id": token(),
                    "status": "draft",
                    "content": "complete",
                    "description": token(),
                }
            ),
        ),
    )
    yield "resource-type-unknown", bundle("batch", put({"resourceType": token(), "id": token()}))


def documents(faults: Faults) -> Iterator[Attempt]:
    """Bodies that are no FHIR yet."""
    token = faults.token
    whole = orjson.dumps(faults.person())
    yield Attempt("body-empty")
    yield Attempt("body-too-large", b'"' + token().encode() * (3 * MIB // 15) + b'"')
    yield Attempt(
        "too-many-entries",
        orjson.dumps({"resourceType": "Bundle", "type": "batch", "entry": [{"resource": faults.person()}] * 1001}),
    )
    yield Attempt("too-deep", b'{"' + token().encode() + b'":' + b"[" * 70 + b"]" * 70 + b"}")
    yield Attempt("string-too-long", orjson.dumps(faults.person(language=token() * (MIB // 10))))
    yield Attempt("utf8-bom", b"\xef\xbb\xbf" + whole)
    yield Attempt("utf8-invalid", whole.replace(b"female", b"\xe9"))
    yield Attempt("json-invalid", whole[:-1])
    yield Attempt("json-trailing", whole + whole)
    yield Attempt("json-number", whole.replace(b'"female"', b"NaN"))
    yield Attempt("json-surrogate", whole.replace(b"female", b"\\ud800"))
    yield Attempt("json-duplicate-key", whole.replace(b'{"', b'{"gender":"' + token().encode() + b'","', 1))
    yield Attempt("json-not-object", orjson.dumps([token()]))
    yield Attempt("resource-type-missing", orjson.dumps({"id": token()}))
    yield Attempt("resource-type-unexpected", whole, "/fhir/Observation")
    packed = gzip.compress(whole)
    yield Attempt("gzip-invalid", packed[:-9] + token().encode(), headers={"Content-Encoding": "gzip"})
    yield Attempt("content-encoding", whole, headers={"Content-Encoding": token()})
    yield Attempt("charset", whole, headers={"Content-Type": f"application/fhir+json; charset={token()}"})
    yield Attempt("media-type", whole, headers={"Content-Type": f"text/{token()}"})
    yield Attempt(
        "media-type-xml",
        f"<Patient><id value='{token()}'/></Patient>".encode(),
        headers={"Content-Type": "application/fhir+xml"},
    )
    yield Attempt("fhir-version", whole, headers={"Content-Type": "application/fhir+json; fhirVersion=3.0"})
    yield Attempt("header-condition", whole, f"/fhir/Patient/{token()}", "PUT", headers={"If-Match": token()})


def consents(faults: Faults) -> Iterator[Attempt]:
    """What a Consent about research says, and what was said of the person before: the order counts."""
    token, terms = faults.token, "http://terminology.hl7.org/CodeSystem"

    def consent(subject: str, own_id: str, **more: Any) -> Json:
        return {
            "resourceType": "Consent",
            "id": own_id,
            "status": "active",
            "scope": {"coding": [{"system": f"{terms}/consentscope", "code": "research", "display": token()}]},
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}], "text": token()}],
            "policyRule": {"text": token()},
            "patient": {"reference": f"Patient/{subject}", "display": token()},
            "provision": {"type": "deny"},
        } | more

    def sent(code: str, resource: Json, caller: str = "") -> Attempt:
        return Attempt(code, orjson.dumps(resource), f"/fhir/Consent/{resource['id']}", "PUT", caller=caller)

    permit = {"provision": {"type": "permit"}}
    one, two, three, own, other = (token() for _ in range(5))
    yield sent("consent-needs-rights", consent(one, own), FOREIGN)
    yield sent("consent-kept", consent(one, own))
    yield sent("consent-ended", consent(one, own, status="inactive"))
    yield sent("consent-lapsed", consent(two, token(), status="inactive", **permit))
    yield sent("consent-partial", consent(two, token(), provision={"type": "deny", "period": {"end": "2040-01-01"}}))
    yield sent("consent-unclear", consent(two, token(), status="rejected"))
    yield sent("consent-kept", consent(two, other))
    yield Attempt("consent-in-force", path=f"/fhir/Consent/{other}", method="DELETE")
    yield Attempt("", orjson.dumps(faults.person(id=three)), "/rights/oppositions")
    yield sent("consent-other-act", consent(three, token(), **permit))


def requests(faults: Faults) -> Iterator[Attempt]:
    """Routes, callers, dry runs and rights."""
    token, whole = faults.token, orjson.dumps(faults.person())
    yield Attempt("unauthenticated", whole, headers={"Authorization": f"Bearer {token()}"}, caller=UNKNOWN)
    yield Attempt("scope-missing", whole, caller=LIMITED)
    test = faults.person(
        identifier=[faults.identified("285094415372645", "urn:oid:1.2.250.1.213.1.4.10", "INS-NIR-TEST")]
    )
    yield Attempt("test-identity", orjson.dumps(test), "/fhir/Patient", caller=FOREIGN)
    yield Attempt("route-unknown", path=f"/{token()}?{token()}={token()}", method="GET")
    yield Attempt("route-method", path=f"/fhir/Patient/{token()}?name={token()}", method="GET")
    named = {"name": "profile", "valueUri": f"https://{token()}.example"}
    yield Attempt("id-format", whole, f"/fhir/Patient/{token()}_", "PUT")
    yield Attempt(
        "parameters-resource-missing",
        orjson.dumps({"resourceType": "Parameters", "parameter": [named]}),
        "/fhir/$validate",
    )
    yield Attempt("mode-unknown", whole, f"/fhir/$validate?mode={token()}")
    yield Attempt("mode-profile-missing", whole, f"/fhir/$validate?mode=profile&{token()}={token()}")
    nothing = {"resourceType": "Bundle", "type": "batch", "id": token()}
    yield Attempt("dry-run-nothing-left", orjson.dumps(nothing), "/fhir/$de-identify")
    yield Attempt(
        "person-missing",
        orjson.dumps({"resourceType": "Bundle", "type": "collection", "id": token()}),
        "/rights/oppositions",
    )
    two = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": faults.person()} for _ in range(2)]}
    yield Attempt("person-ambiguous", orjson.dumps(two), "/rights/oppositions")
    yield Attempt("ground-unknown", whole, f"/rights/erasures?ground={token()}")
    yield Attempt("receipt-unknown", path=f"/rights/receipts/{token()}", method="GET")
    relative = {"resourceType": "RelatedPerson", "id": token(), "patient": {"reference": f"Patient/{token()}"}}
    yield Attempt("nothing-leaves", orjson.dumps(relative | {"name": [{"family": token()}]}), "/fhir/RelatedPerson")
    yield Attempt("leak-suspected", orjson.dumps(leaking(faults)))


def leaking(faults: Faults) -> Json:
    """A result whose LOINC code is the number of its patient: the rules let it through, the scanner does not."""
    number = "71871-7"
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PI"}]}
    person = faults.person(identifier=[{"type": kind, "system": "urn:oid:1.2.250.1.71.4.2.2", "value": number}])
    result = faults.result(subject={"reference": f"Patient/{person['id']}"})
    result["code"] = {"coding": [{"system": "http://loinc.org", "code": number}], "text": faults.token()}
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in (person, result)
    ]
    return {"resourceType": "Bundle", "type": "batch", "id": faults.token(), "entry": entries}
