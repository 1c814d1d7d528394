"""For each code of the catalogue a body full of canaries that triggers it, or the reason why no body can (P13)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.canary import Tokens
from tests.support.made_profiles import MADE, element, extension, profile, slicing, value_set

Json = dict[str, Any]
FR_TYPES = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
INS = "urn:oid:1.2.250.1.213.1.4.8"
BASE = "http://hl7.org/fhir/StructureDefinition/"
XHTML = "http://www.w3.org/1999/xhtml"
LIMITED, FOREIGN, UNKNOWN = "without scopes", "another hospital", "nobody"  # who asks, when it is not the hospital

# Codes that no body or header triggers: why, and where their text is proved to hold nothing of a request.
STATES = "a state of the gateway, told before or whatever the body: tests/unit/gateway/test_load_over_http.py"
UNREACHABLE: Mapping[str, str] = {
    "fault": "our own defect: no input gives it (tests/unit/gateway/test_hostile_input.py)",
    "quota": STATES, "quota-concurrency": STATES, "saturated": STATES, "unavailable": STATES, "not-ready": STATES,
    "body-too-slow": "a matter of time: tests/unit/gateway/test_load_over_http.py",
    "stopping": "a state of the gateway: tests/unit/gateway/test_stopping.py",
    "event-too-large": "more than 10 MiB for one person: tests/faults/test_largest_event.py",
    "format-boolean": "JSON has no other form of a boolean: wrong-json-type",
    "format-decimal": "JSON has no other form of a number: wrong-json-type, json-number",
}  # fmt: skip
# Told on the command line alone: `validate --judge`, and of a guide that the caller brings.
JUDGED = ("example-url", "html-in-string", "profile-rules-not-checked")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request, and the code that its answer must hold."""

    code: str
    body: bytes = b""
    path: str = "/fhir"
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    caller: str = ""


def profiles() -> list[Json]:
    """Profiles of a guide that is added for these tests: each demand that no packaged profile makes."""
    return [
        profile(
            "strict",
            "Observation",
            element("Observation.status", fixedCode="final"),
            element("Observation.code", constraint=[UNCHECKED]),
            element("Observation.category", patternCodeableConcept={"coding": [{"code": "laboratory"}]}),
            element("Observation.method", max="0"),
            element("Observation.value[x]", type=[{"code": "Quantity"}]),
            element("Observation.value[x].value", minValueDecimal=1, maxValueDecimal=2),
            element("Observation.note", max="1"),
            element("Observation.note.text", maxLength=5),
            element("Observation.subject", type=[{"code": "Reference", "targetProfile": [MADE + "named"]}]),
            element(
                "Observation.bodySite",
                binding={"strength": "required", "valueSet": "https://profils.example/ValueSet/nowhere"},
            ),
            element("Observation.interpretation", binding={"strength": "required", "valueSet": OPEN["url"]}),
        ),
        profile("named", "Patient", element("Patient.name", min=1), element("Patient.telecom", min=2)),
        profile("lodged", "Patient", element("Patient.address", type=ADDRESS)),
        profile("obscure", "Patient", element("Patient.name", constraint=[UNTRANSLATED])),
        profile("addressed", "Address", element("Address.city", min=1)),
        profile("other", "Observation", element("Observation.value[x]", type=[{"code": "Quantity"}])),
        extension("rank", "positiveInt", context="Observation"),
        changing(),
        extension("bounded", "string", context="Patient") | {"contextInvariant": ["birthDate.exists()"]},
        *(sliced(rules, rules, ordered=False) for rules in ("closed", "openAtEnd")),
        sliced("ordered", "open", ordered=True),
        OPEN,
        value_set("local", "br"),
    ]


ADDRESS = [{"code": "Address", "profile": [MADE + "addressed", MADE + "addressed"]}]
OPEN: Json = {
    "resourceType": "ValueSet",
    "url": "https://profils.example/ValueSet/open",
    "status": "active",
    "compose": {"include": [{"system": "https://codes.example/absent"}]},
}
UNTRANSLATED = {"key": "made-2", "severity": "error", "human": "Obscure", "expression": "nobodyKnows()"}
UNCHECKED = {
    "key": "made-1", "severity": "error", "human": "Listed",
    "expression": "memberOf('https://profils.example/ValueSet/nowhere')",
}  # fmt: skip


def changing() -> Json:
    """A modifier extension that the validator knows and de-identification does not."""
    made = extension("changing", "boolean", context="Observation")
    made["differential"]["element"][0] |= {"isModifier": True, "isModifierReason": "It denies the result."}
    return made


def sliced(name: str, rules: str, *, ordered: bool) -> Json:
    """Two slices of the identifiers by system."""
    return profile(
        name,
        "Patient",
        slicing("Patient.identifier", ("value", "system"), rules=rules, ordered=ordered),
        element("Patient.identifier:a", min=1, max="1"),
        element("Patient.identifier:a.system", min=1, fixedUri="https://a.example"),
        element("Patient.identifier:b", min=0, max="1"),
        element("Patient.identifier:b.system", min=1, fixedUri="https://b.example"),
    )


class Faults:
    """Makes every attempt, with tokens in whatever is not the fault itself."""

    def __init__(self, token: Tokens) -> None:
        self.token = token

    def person(self, **more: Any) -> Json:
        named = {"id": self.token(), "name": [{"family": self.token(), "given": [self.token()]}], "gender": "female"}
        return {"resourceType": "Patient"} | named | more

    def result(self, **more: Any) -> Json:
        code = {"coding": [{"system": f"https://{self.token()}.example", "code": self.token()}], "text": self.token()}
        usual = {"id": self.token(), "status": "final", "code": code, "note": [{"text": self.token()}]}
        return {"resourceType": "Observation"} | usual | more

    def stay(self, **more: Any) -> Json:
        usual = {"id": self.token(), "status": "finished", "class": {"code": "IMP"}, "text": self.narrative()}
        return {"resourceType": "Encounter"} | usual | more

    def narrative(self, inside: str = "", *, root: str = "div") -> Json:
        return {
            "status": "generated",
            "div": f'<{root} xmlns="{XHTML}"><p>{self.token()}</p>{inside}</{root}>',
        }

    def identified(
        self, value: str, system: str = INS, code: str = "INS-NIR", types: str = FR_TYPES, **more: Any
    ) -> Json:
        kind = {"coding": [{"system": types, "code": code}], "text": self.token()}
        return {"type": kind, "system": system, "value": value, "assigner": {"display": self.token()}} | more

    def resources(self) -> Iterator[tuple[str, Json, str]]:
        """Code, resource, profile asked for (empty: none)."""
        yield from self._structure()
        yield from self._formats()
        yield from self._narratives()
        yield from self._profiles()
        yield from self._french()
        yield from self._conformance()

    def _structure(self) -> Iterator[tuple[str, Json, str]]:
        token, person, result = self.token, self.person, self.result
        far = {"system": f"https://{token()}.example", "code": token()}
        yield "empty-array", person(address=[]), ""
        yield "empty-string", person(birthDate=""), ""
        yield "empty-object", person(maritalStatus={}), ""
        yield "null-value", person(maritalStatus=None), ""
        yield "unexpected-array", person(birthDate=[token()]), ""
        yield "not-an-array", person(address={"city": token()}), ""
        yield "not-an-object", person(maritalStatus=token()), ""
        yield "wrong-json-type", person(active=token()), ""
        yield "sibling-length", person(name=[{"given": [token(), token()], "_given": [{"id": token()}]}]), ""
        yield "unknown-element", person(**{token(): token()}), ""
        yield "element-of-other-version", person(animal={"species": {"text": token()}}), ""
        yield "missing-element", {"resourceType": "Observation", "code": {"text": token()}}, ""
        yield "choice-multiple", result(valueString=token(), valueBoolean=True), ""
        yield "code-missing", result() | self._condition(clinicalStatus={"text": token()}), ""
        yield "code-not-in-value-set", person(gender=token()), ""
        yield "code-outside-extensible", person(maritalStatus={"coding": [far]}), ""
        yield "invariant", person(contact=[{"relationship": [{"text": token()}]}]), ""
        yield "extension-unknown", person(extension=[{"url": f"https://{token()}.example", "valueString": token()}]), ""
        yield "extension-unknown-hl7", person(extension=[{"url": BASE + token(), "valueString": token()}]), ""
        yield (
            "extension-modifier-unknown",
            result(modifierExtension=[{"url": f"https://{token()}.example", "valueString": token()}]),
            "",
        )
        yield "extension-context", person(extension=[{"url": MADE + "rank", "valuePositiveInt": 1}]), ""
        yield "extension-invariant", person(extension=[{"url": MADE + "bounded", "valueString": token()}]), ""
        yield "extension-not-modifier", result(modifierExtension=[{"url": MADE + "rank", "valuePositiveInt": 1}]), ""
        yield "extension-is-modifier", result(extension=[{"url": MADE + "changing", "valueBoolean": True}]), ""
        yield (
            "modifier-extension-unknown",
            result(
                subject={"reference": f"Patient/{token()}"},
                modifierExtension=[{"url": MADE + "changing", "valueBoolean": True}],
            ),
            "",
        )
        yield "reference-target-type", result(subject={"reference": f"Observation/{token()}", "display": token()}), ""
        yield "reference-contained-missing", result(subject={"reference": f"#{token()}"}), ""
        nested: Json = {"resourceType": "Basic", "id": token(), "code": {"text": token()}}
        for _ in range(20):
            nested = {"resourceType": "Basic", "id": token(), "code": {"text": token()}, "contained": [nested]}
        yield "too-nested", nested, ""
        yield "issues-capped", person(name=[{token(): token()} for _ in range(200)]), ""

    def _condition(self, **more: Any) -> Json:
        return {"resourceType": "Condition", "subject": {"reference": f"Patient/{self.token()}"}} | more

    def _formats(self) -> Iterator[tuple[str, Json, str]]:
        token, person, result = self.token, self.person, self.result
        wrong = f" {token()} "
        values = {
            "base64Binary": wrong + "*", "canonical": wrong, "code": f"{token()}  {token()}", "date": token(),
            "dateTime": token(),
            "id": f"{token()}_", "instant": token(), "oid": token(), "time": token(), "uri": wrong,
            "url": wrong, "uuid": token(),
        }  # fmt: skip
        for kind, value in values.items():
            held = {"url": f"https://{token()}.example", f"value{kind[0].upper()}{kind[1:]}": value}
            yield f"format-{kind}", person(extension=[held]), ""
        yield "format-markdown", result(note=[{"text": f"{token()}\u0001"}]), ""
        yield "format-string", result(valueString=f"{token()}\u0001"), ""
        for kind, number in (("integer", 2**40), ("positiveInt", 0), ("unsignedInt", -1)):
            held = {"url": f"https://{token()}.example", f"value{kind[0].upper()}{kind[1:]}": number}
            yield f"format-{kind}", person(extension=[held]), ""

    def _narratives(self) -> Iterator[tuple[str, Json, str]]:
        token, person = self.token, self.person
        yield (
            "narrative-malformed",
            person(text={"status": "generated", "div": f'<div xmlns="{XHTML}"><p>{token()}</div>'}),
            "",
        )
        doctype = f'<!DOCTYPE x [<!ENTITY e "{token()}">]><div xmlns="{XHTML}">&e;</div>'
        yield "narrative-declaration", person(text={"status": "generated", "div": doctype}), ""
        yield "narrative-root", person(text=self.narrative(root="p")), ""
        yield "narrative-element", person(text=self.narrative(f"<script>{token()}</script>")), ""
        yield "narrative-attribute", person(text=self.narrative(f'<p onclick="{token()}">x</p>')), ""
        yield "narrative-link", person(text=self.narrative(f'<a href="javascript:{token()}">x</a>')), ""
        yield "narrative-anchor", person(text=self.narrative(f'<a href="#{token()}">x</a>')), ""
        yield (
            "narrative-empty",
            person(text={"status": "generated", "div": f'<div xmlns="{XHTML}" title="{token()}"> </div>'}),
            "",
        )

    def _profiles(self) -> Iterator[tuple[str, Json, str]]:
        token, person, result = self.token, self.person, self.result
        far = {"coding": [{"system": "https://codes.example/absent", "code": token()}]}
        yield "fixed-value", result(status="amended"), MADE + "strict"
        yield "constraint-not-checked", result(), MADE + "strict"
        yield "too-few", person(telecom=[{"value": token()}]), MADE + "named"
        yield "profile-unknown", person(meta={"profile": [f"https://{token()}.example/p"]}), ""
        yield "profile-version-unknown", person(meta={"profile": [f"{MADE}named|{token()}"]}), ""
        yield "profile-type-mismatch", person(meta={"profile": [MADE + "strict"]}), ""
        yield "profile-requested-unknown", person(), f"https://{token()}.example/p"
        yield "profile-requested-unused", person(), MADE + "strict"
        yield "element-forbidden", result(method={"text": token()}), MADE + "strict"
        yield "type-not-allowed", result(valueString=token()), MADE + "strict"
        yield "below-minimum", result(valueQuantity={"value": 0.5, "unit": token()}), MADE + "strict"
        yield "above-maximum", result(valueQuantity={"value": 9, "unit": token()}), MADE + "strict"
        yield "too-many", result(note=[{"text": token()}, {"text": token()}]), MADE + "strict"
        yield "too-long", result(note=[{"text": token()}]), MADE + "strict"
        yield "value-set-unavailable", result(bodySite=far), MADE + "strict"
        yield "code-system-unavailable", result(interpretation=[far]), MADE + "strict"
        inner = {"resourceType": "Patient", "id": "p", "address": [{"text": token()}]}
        yield "reference-target-profile", result(contained=[inner], subject={"reference": "#p"}), MADE + "strict"
        yield "profile-not-met", person(address=[{"text": token()}]), MADE + "lodged"
        a, b, c = ({"system": f"https://{one}.example", "value": token()} for one in "abc")
        yield "pattern-value", result(category=[far]), MADE + "strict"
        yield "slice-missing", person(identifier=[b]), MADE + "closed"
        yield "slice-closed", person(identifier=[a, c]), MADE + "closed"
        yield "slice-not-last", person(identifier=[c, a]), MADE + "openAtEnd"
        yield "slice-order", person(identifier=[b, a]), MADE + "ordered"
        yield "slice-too-many", person(identifier=[a, a | {"value": token()}]), MADE + "ordered"

    def _french(self) -> Iterator[tuple[str, Json, str]]:
        token, person, identified = self.token, self.person, self.identified
        right = "285094415372645"
        yield "nir-shape", person(identifier=[identified(token())]), ""
        yield "nir-key", person(identifier=[identified(right[:-1] + "6")]), ""
        yield "ins-key-missing", person(identifier=[identified(right[:13])]), ""
        yield "ins-type", person(identifier=[identified(right, code="INS-NIA")]), ""
        yield "ins-traits-missing", person(identifier=[identified(right)]), ""
        yield "nir-sex", person(identifier=[identified(right)], gender="male"), ""
        yield "nir-birth", person(identifier=[identified(right)], birthDate="1950-01-01"), ""
        reliability = {
            "url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability",
            "extension": [
                {"url": "identityStatus", "valueCoding": {
                    "system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-identity-reliability", "code": "PROV",
                    "display": token(),
                }},
            ],
        }  # fmt: skip
        yield "ins-status", person(identifier=[identified(right)], extension=[reliability]), ""
        yield "ipp-type-missing", person(identifier=[{"system": f"https://{token()}.example", "value": token()}]), ""
        yield "oid-without-prefix", person(identifier=[{"system": "1.2.250.1.71", "value": token()}]), ""
        untyped = [{"system": f"https://{token()}.example", "value": token()}]
        yield "visit-type-missing", self.stay(identifier=untyped), ""
        yield "stay-without-end", self.stay(), ""
        unit = {"location": {"display": token()}, "period": {"start": "2024-01-01"}}
        yield "stay-unit-outside", self.stay(period={"start": "2024-01-03"}, location=[unit]), ""
        modes = {
            name: {"coding": [{"system": "https://pmsi.example", "code": code, "display": token()}]}
            for name, code in (("admitSource", "02"), ("dischargeDisposition", "91"))
        }
        yield "pmsi-mode-pair", self.stay(hospitalization=modes), ""
        yield "pmsi-service-pair", self.stay(hospitalization=modes), ""
        geography = {"url": "https://aphp.github.io/IG-fhir-dm/StructureDefinition/PmsiCodeGeo", "valueCode": token()}
        yield "residence-code-shape", person(address=[{"text": token(), "extension": [geography]}]), ""
        coded = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "Z99.9", "display": token()}]}
        yield "code-not-in-nomenclature", self._condition(code=coded), ""
        drug = {"coding": [{"system": "https://smt.esante.gouv.fr/terminologie-cip", "code": "3400930000011"}]}
        yield "drug-key", {"resourceType": "Medication", "id": token(), "code": drug | {"text": token()}}, ""
        structures = {
            "finess-shape": ("FINEJ", token()), "finess-key": ("FINEJ", "750712180"), "siren-shape": ("SIREN", token()),
            "siren-key": ("SIREN", "123456789"), "siret-shape": ("SIRET", token()), "idnst-prefix": ("IDNST", token()),
            "siret-key": ("SIRET", "12345678901234"),
        }  # fmt: skip
        for code, (kind, value) in structures.items():
            organisation = {"resourceType": "Organization", "id": token(), "name": token()}
            yield code, organisation | {"identifier": [identified(value, f"https://{token()}.example", kind)]}, ""
        for code, kind in (("rpps-shape", "RPPS"), ("rpps-rang-shape", "RPPSRG"), ("idnps-shape", "IDNPS")):
            doctor = {"resourceType": "Practitioner", "id": token(), "name": [{"family": token()}]}
            yield code, doctor | {"identifier": [identified(token(), f"https://{token()}.example", kind)]}, ""

    def _conformance(self) -> Iterator[tuple[str, Json, str]]:
        token = self.token
        usual: Json = {
            "resourceType": "SearchParameter", "id": token(), "url": f"https://{token()}.example", "name": "Search",
            "status": "draft", "description": token(), "code": "name", "base": ["Organization"], "type": "string",
            "derivedFrom": "http://hl7.org/fhir/SearchParameter/Organization-name",
            "expression": "Organization.alias | Organization.name",
        }  # fmt: skip
        yield "search-parameter-type", usual | {"type": "token"}, ""
        yield "search-parameter-base", usual | {"base": ["Organization", "Patient"]}, ""
        yield "search-parameter-other-expression", usual | {"expression": "Organization.name"}, ""
        yield "search-parameter-unknown", usual | {"derivedFrom": f"https://{token()}.example"}, ""
        yield "search-parameter-expression", usual | {"expression": "Patient.name"}, ""
        searched = {"name": "name", "definition": usual["derivedFrom"], "type": "date", "documentation": token()}
        yield "search-parameter-definition-type", {
            "resourceType": "CapabilityStatement", "id": token(), "status": "draft", "date": "2024-01-01",
            "kind": "requirements", "description": token(), "fhirVersion": "4.0.1", "format": ["json"],
            "rest": [{"mode": "server", "resource": [{"type": "Organization", "searchParam": [searched]}]}],
        }, ""  # fmt: skip
        yield (
            "discriminator-leads-nowhere",
            profile("nowhere", "Patient", slicing("Patient.identifier", ("value", "thing")))
            | {"description": token(), "id": token()},
            "",
        )
