"""What each action lets leave: codes, dates, units, modes, places, structures (rules.toml, stream contract)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.scrubbed import (
    CONTRACT,
    FINESS,
    FR_TYPES,
    batch,
    collection,
    encounter,
    extension,
    flags,
    identifier,
    key,
    observation,
    only,
    patient,
    resources,
    scrubbed,
)
from transformers.contract import DEFAULT_POTENTIAL_IDENTIFIERS, Contract, Unit
from transformers.deidentify.checksums import sct_is_right

INSEE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code"
COMMUNE = "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM"
PMSI = "https://aphp.github.io/IG-fhir-dm/StructureDefinition/PmsiCodeGeo"
LOCAL = "urn:snds-gateway:local"
COMMUNES = Contract(finess=FINESS, potential_identifiers=DEFAULT_POTENTIAL_IDENTIFIERS | {"commune", "death-commune"})


def coded(system: str | None, code: str, **rest: str) -> dict[str, Any]:
    coding = {"code": code} | ({"system": system} if system is not None else {}) | rest
    made = only(scrubbed(collection(observation(code={"coding": [coding], "text": code}))), "Observation")
    [kept] = made["code"]["coding"]
    return kept  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("system", "code"),
    [
        ("http://loinc.org", "718-7"),
        ("http://snomed.info/sct", "404684003"),
        ("http://hl7.org/fhir/sid/icd-10", "I21.9"),
        ("https://smt.esante.gouv.fr/terminologie-cim-10", "B24+1"),
        ("https://smt.esante.gouv.fr/terminologie-ccam", "NZFA010"),
        ("https://interop.esante.gouv.fr/ig/fhir/eds/CodeSystem/CCAM", "NZFA010···04·"),
        ("https://aphp.github.io/IG-FHIR-EDSH-SOCLE-COMMUN/CodeSystem/edsh-ccam-cs", "BGQP002...01."),
        ("http://www.whocc.no/atc", "B01AC06"),
        ("http://data.esante.gouv.fr/ansm/medicament/UCD", "3400892088310"),
        ("http://data.esante.gouv.fr/ansm/medicament/UCD", "9208831"),
        ("http://standardterms.edqm.eu", "20053000"),
        ("http://unitsofmeasure.org", "mm[Hg]"),
        ("http://unitsofmeasure.org", "mL/min/{1.73_m2}"),
        ("http://terminology.hl7.org/CodeSystem/admit-source", "emd"),
        ("https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-3307", "UF"),
        ("https://interop.aphp.fr/ig/fhir/dm/CodeSystem/pmsi-mco-diag-type", "DP"),
        ("http://id.who.int/fhir/icd/release/11", "MG48"),
    ],
)
def test_a_code_of_a_listed_system_keeps_its_system_and_loses_its_words(system: str, code: str) -> None:
    assert coded(system, code, display="Marie Dupont") == {"system": system, "code": code}


@pytest.mark.parametrize(
    ("system", "code"),
    [
        ("https://hopital.example/labo", "HB"),
        (None, "718-7"),
        ("http://loinc.org/", "718-7"),
        ("http://loinc.org", "DUPONT"),
        ("http://loinc.org", "285094415372654"),
        ("http://snomed.info/sct", "285094415372654"),  # a NIR: neither check digit nor partition
        ("http://snomed.info/sct", "404684004"),
        ("http://hl7.org/fhir/sid/icd-10", "Dupont"),
        ("https://smt.esante.gouv.fr/terminologie-ccam", "DUPONT Marie"),
        ("http://unitsofmeasure.org", "0612345678"),
        ("http://unitsofmeasure.org", "Marie Dupont"),
        ("http://terminology.hl7.org/CodeSystem/admit-source", "dupont"),
        ("http://terminology.hl7.org/CodeSystem/v3-Race", "1002-5"),
        (COMMUNE, "75112"),
        ("https://mos.esante.gouv.fr/NOS/TRE_R20-Pays/FHIR/TRE-R20-Pays", "99100"),
    ],
)
def test_any_other_code_becomes_a_keyed_hash(system: str | None, code: str) -> None:
    made = coded(system, code)

    assert made["system"] == LOCAL
    assert len(made["code"]) == 22
    assert made == coded(system, code)
    assert made != coded(system, code + "1")


def test_a_local_code_is_hashed_under_its_system_and_hospital() -> None:
    assert coded("https://a.example", "HB") != coded("https://b.example", "HB")


def test_the_contract_adds_code_systems_but_not_free_texts() -> None:
    agreed = Contract(finess=FINESS, code_systems=("https://hopital.example/labo",))
    codings = [{"system": "https://hopital.example/labo", "code": code} for code in ("HB-2", "Marie Dupont", "x" * 33)]
    result = scrubbed(collection(observation(code={"coding": codings})), contract=agreed)
    codes = only(result, "Observation")["code"]["coding"]

    assert codes[0] == {"system": "https://hopital.example/labo", "code": "HB-2"}
    assert [one["system"] for one in codes[1:]] == [LOCAL, LOCAL]


@pytest.mark.parametrize(
    ("version", "kept"),
    [("2.77", "2.77"), ("2024-03", "2024-03"), ("Dupont", None), ("285094415372654", None),
     ("http://snomed.info/sct/11000315107/version/20240621", "http://snomed.info/sct/11000315107/version/20240621")],
)  # fmt: skip
def test_a_version_is_kept_when_it_is_one(version: str, kept: str | None) -> None:
    assert coded("http://loinc.org", "718-7", version=version).get("version") == kept


@pytest.mark.parametrize(
    ("system", "kept", "flag"),
    [
        ("http://hl7.org/fhir/sid/icd-10", {"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}, set()),
        ("https://hopital.example/cim", {"code": "I10"}, {"code-system"}),
        (None, {"code": "I10"}, {"code-system"}),
        ("https://hopital.example/snomed", None, set()),
        ("http://hl7.org/fhir/sid/icd-10-pcs", None, set()),
    ],
)
def test_a_right_code_under_a_wrong_system_stays_where_the_tables_look_for_it(
    system: str | None, kept: dict[str, str] | None, flag: set[str]
) -> None:
    coding = {"code": "I10"} | ({"system": system} if system else {})
    condition = {
        "resourceType": "Condition",
        "id": "c1",
        "subject": {"reference": "Patient/p1"},
        "code": {"coding": [coding]},
    }

    made = only(scrubbed(collection(condition)), "Condition")

    assert flags(made) == flag
    assert made["code"]["coding"][0] == kept if kept else made["code"]["coding"][0]["system"] == LOCAL


@pytest.mark.parametrize(
    ("sent", "leaves"),
    [
        ("2024-03-01T08:15:42.123+01:00", "2024-03-01T08:15:00+01:00"),
        ("2024-03-01T08:15:42+01:00", "2024-03-01T08:15:00+01:00"),
        ("2024-03-01T08:15:59Z", "2024-03-01T08:15:00Z"),
        ("2024-03-01T08:15:59", "2024-03-01T08:15:00"),
        ("2024-03-01", "2024-03-01"),
        ("2024-03", "2024-03"),
        ("2024", "2024"),
        ("2024-13-01T08:15:42+01:00", None),
        ("1 mars 2024", None),
        ("0612345678", None),
        ("2024-03-01T08:15:42+01:00 Dupont", None),
    ],
)
def test_an_instant_is_cut_to_the_minute_and_a_text_is_no_date(sent: str, leaves: str | None) -> None:
    made = only(scrubbed(collection(observation(effectiveDateTime=sent))), "Observation")

    assert made.get("effectiveDateTime") == leaves


@pytest.mark.parametrize(
    ("sent", "leaves"),
    [("8 Domicile", "8"), ("85", "85"), ("8 5", "8 5"), ("71", "71"), ("N", "N"), ("9", "9"), ("6 Mutation", "6"),
     ("N Naissance", "N"), ("Domicile", None), ("8Domicile", None), ("Dupont 8", None), ("", None),
     ("0612345678", None)],
)  # fmt: skip
def test_a_pmsi_mode_is_cut_to_its_leading_code(sent: str, leaves: str | None) -> None:
    claim = {
        "resourceType": "Claim", "id": "c1", "status": "active", "use": "claim",
        "patient": {"reference": "Patient/p1"}, "supportingInfo": [{"sequence": 1, "valueString": sent}],
    }  # fmt: skip

    made = only(scrubbed(collection(claim)), "Claim")

    assert made["supportingInfo"] == [{"sequence": 1} | ({"valueString": leaves} if leaves else {})]


@pytest.mark.parametrize(
    ("sent", "leaves"),
    [
        ({"value": 75, "unit": "mg"}, {"value": 75, "code": "mg"}),
        ({"value": 7, "unit": "G/L", "system": "http://unitsofmeasure.org", "code": "G/L"},
         {"value": 7, "system": "http://unitsofmeasure.org", "code": "G/L"}),
        ({"value": 7, "unit": "Marie Dupont"}, {"value": 7}),
        ({"value": 285094415372654}, None),
        ({"value": 285094415372654.0}, None),
        ({"value": 5, "comparator": "<"}, {"value": 5, "comparator": "<"}),
        ({"value": 5, "comparator": "Dupont"}, {"value": 5}),
    ],
)  # fmt: skip
def test_a_quantity_keeps_its_number_and_a_unit_that_is_one(
    sent: dict[str, Any], leaves: dict[str, Any] | None
) -> None:
    made = only(scrubbed(collection(observation(valueQuantity=sent))), "Observation")

    assert made.get("valueQuantity") == leaves


@pytest.mark.parametrize(
    ("address", "department"),
    [
        ({"postalCode": "75012", "city": "Paris"}, "75"),
        ({"postalCode": "20000"}, "2A"),
        ({"postalCode": "20137"}, "2A"),
        ({"postalCode": "20200"}, "2B"),
        ({"postalCode": "20600"}, "2B"),
        ({"postalCode": "97110"}, "9A"),
        ({"postalCode": "97200"}, "9B"),
        ({"postalCode": "97300"}, "9C"),
        ({"postalCode": "97400"}, "9D"),
        ({"postalCode": "97500"}, "9E"),
        ({"postalCode": "97600"}, "9F"),
        ({"postalCode": "98800"}, "99"),
        ({"postalCode": "10115", "country": "DE"}, "99"),
        ({"country": "FRA"}, None),
        ({"city": "Paris"}, None),
        ({"extension": [{"url": INSEE, "valueCoding": {"system": COMMUNE, "code": "2A004"}}]}, "2A"),
        ({"extension": [{"url": PMSI, "valueCode": "9A110"}], "postalCode": "75012"}, "9A"),
        ({"extension": [{"url": PMSI, "valueCode": "97110"}]}, "9A"),
        ({"extension": [{"url": PMSI, "valueCode": "50C01"}]}, "50"),
        ({"extension": [{"url": PMSI, "valueCode": "Dupont"}], "postalCode": "75012"}, "75"),
    ],
)
def test_an_address_becomes_its_department_and_nothing_else(address: dict[str, Any], department: str | None) -> None:
    made = only(scrubbed(collection(patient(address=[address | {"line": ["1 rue Hugo"]}]))), "Patient")

    assert extension(made, "department") == department
    assert "address" not in made
    assert [one["url"] for one in made.get("extension", ())] == ["urn:snds-gateway:department"] * (
        department is not None
    )


def test_the_home_address_wins_over_the_first_one() -> None:
    addresses = [{"use": "work", "postalCode": "69001"}, {"use": "home", "postalCode": "75012"}]

    assert extension(only(scrubbed(collection(patient(address=addresses))), "Patient"), "department") == "75"
    assert extension(only(scrubbed(collection(patient(address=addresses[:1]))), "Patient"), "department") == "69"


def test_the_switches_of_the_contract_let_commune_codes_leave() -> None:
    address = {
        "postalCode": "75 012", "city": "Paris",
        "extension": [{"url": INSEE, "valueCoding": {"code": "75112"}}, {"url": PMSI, "valueCode": "75012"}],
    }  # fmt: skip
    death = {
        "url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-death-place",
        "valueAddress": {"city": "Lyon", "extension": [{"url": INSEE, "valueCoding": {"code": "69385"}}]},
    }
    posted = collection(patient(address=[address], extension=[death], deceasedDateTime="2024-03-05T10:11:12+01:00"))
    off, on = (only(scrubbed(posted, contract=contract), "Patient") for contract in (CONTRACT, COMMUNES))

    names = ("department", "pmsi-geo-code", "insee-code", "postal-code", "death-insee-code")
    assert [extension(off, name) for name in names] == ["75", None, None, None, None]
    assert [extension(on, name) for name in names] == ["75", "75012", "75112", "75012", "69385"]
    assert on["deceasedDateTime"] == "2024-03-05"
    assert (on["birthDate"], on["gender"]) == ("1985-09", "female")


def test_an_organization_keeps_its_finess_and_a_unit_the_code_that_the_contract_knows() -> None:
    contract = Contract(finess=FINESS, units={"4701": Unit(finess_geo="750100042")})
    numbers = [
        identifier("FINEG", "https://finess.esante.gouv.fr", "750100042", types=FR_TYPES),
        identifier("IDNST", "urn:oid:1.2.250.1.71.4.2.2", "1750712184", types=FR_TYPES),
        identifier("SIREN", "https://sirene.fr", "267500452", types=FR_TYPES),
        {"system": "https://hopital.example/uf", "value": "4701"},
        {"system": "https://hopital.example/uf", "value": "4702"},
    ]
    unit = {"resourceType": "Organization", "id": "uf", "name": "Endocrinologie", "identifier": numbers}

    made = only(scrubbed(collection(unit), contract=contract), "Organization")

    assert [(one["system"], one["value"]) for one in made["identifier"][1:]] == [
        ("https://finess.esante.gouv.fr", "750100042"),
        ("https://finess.esante.gouv.fr", "750712184"),
        ("urn:snds-gateway:unit", "4701"),
    ]
    assert made["identifier"][1]["type"]["coding"] == [{"system": FR_TYPES, "code": "FINEG"}]
    assert "name" not in made


def test_extensions_leave_by_url_and_place_only() -> None:
    rank = "https://aphp.github.io/IG-FHIR-EDSH-SOCLE-COMMUN/StructureDefinition/edsh-item-rank"
    drg = "https://aphp.github.io/IG-FHIR-EDSH-SOCLE-COMMUN/StructureDefinition/edsh-drg"
    ghm = {"coding": [{"system": "https://aphp.github.io/IG-FHIR-EDSH-SOCLE-COMMUN/CodeSystem/ghm", "code": "05M09"}]}
    parts = [
        {"url": "GHM", "valueCodeableConcept": ghm | {"text": "x"}},
        {"url": "vClassif", "valueString": "2024"},
        {"url": "codeRetour", "valueString": "Dupont"},
        {"url": "note", "valueString": "12"},
    ]
    claim = {
        "resourceType": "Claim", "id": "c1", "patient": {"reference": "Patient/p1"},
        "extension": [{"url": rank, "valuePositiveInt": 1}, {"url": drg, "extension": parts},
                      {"url": "https://other.example", "valueString": "x"}],
    }  # fmt: skip

    made = only(scrubbed(collection(claim)), "Claim")

    assert made["extension"] == [
        {"url": rank, "valuePositiveInt": 1},
        {
            "url": drg,
            "extension": [{"url": "GHM", "valueCodeableConcept": ghm}, {"url": "vClassif", "valueString": "2024"}],
        },
    ]
    assert "extension" not in only(scrubbed(collection(patient(extension=claim["extension"]))), "Patient")


def test_a_reference_to_what_never_leaves_disappears_and_to_the_rest_is_a_key() -> None:
    one = encounter(
        participant=[{"individual": {"reference": "Practitioner/d1"}}],
        serviceProvider={"reference": "Organization/uf", "display": "Endocrinologie"},
        diagnosis=[{"condition": {"reference": "Condition/c1"}, "rank": 1}],
        hospitalization={"origin": {"reference": "Location/l1"}},
    )
    unit = {"resourceType": "Organization", "id": "uf"}
    result = scrubbed(collection(one, unit))

    made = only(result, "Encounter")
    assert "participant" not in made
    assert made["serviceProvider"] == {
        "type": "Organization",
        "identifier": {"system": "urn:snds-gateway:resource", "value": key(only(result, "Organization"))},
    }
    assert made["diagnosis"][0]["condition"]["type"] == "Condition"
    assert made["diagnosis"][0]["rank"] == 1


def test_a_modifier_extension_refuses_the_resource_wherever_it_stands() -> None:
    modifier = {"modifierExtension": [{"url": "https://x.example", "valueBoolean": True}]}
    entries = [observation(), observation("o2") | modifier, observation("o3", referenceRange=[modifier])]

    result = scrubbed(batch({"resource": one} for one in entries))

    assert result.refused == {1: "modifier-extension-unknown", 2: "modifier-extension-unknown"}


def test_types_that_never_leave_are_dropped_and_counted_and_unknown_ones_refused() -> None:
    entries = [
        {"resourceType": "Practitioner", "id": "d1"},
        {"resourceType": "Composition", "id": "c1"},
        {"resourceType": "StructureDefinition", "id": "s1"},
        observation(),
    ]

    result = scrubbed(batch({"resource": one} for one in entries))

    assert result.refused == {2: "resource-type-unsupported"}
    assert (result.dropped["Practitioner"], result.dropped["Composition"]) == (1, 1)
    assert [bundle.indices for bundle in result.bundles] == [(3,)]


def test_what_is_left_out_is_counted_by_rule() -> None:
    result = scrubbed(collection(patient(name=[{"family": "Dupont"}], telecom=[{"value": "1"}]), observation(note=[])))

    assert result.dropped == {"Observation.note": 1, "Patient.name": 1, "Patient.telecom": 1}


def test_a_snomed_code_has_its_check_digit_and_partition() -> None:
    assert [sct_is_right(code) for code in ("404684003", "404684004", "73211009", "1461000205102", "12345", "")] == [
        True, False, True, True, False, False,
    ]  # fmt: skip


def test_a_hospital_named_by_its_finess_alone_is_an_organization_of_its_own() -> None:
    finess = "https://finess.esante.gouv.fr"
    origin = {"identifier": identifier("FINEG", finess, "690781810", types=FR_TYPES), "display": "HCL"}
    provider = {"identifier": {"system": "urn:oid:1.2.250.1.71.4.2.2", "value": "1690781810"}, "type": "Organization"}
    one = encounter(hospitalization={"origin": origin}, serviceProvider=provider)

    result = scrubbed(collection(one, observation()))
    made, organizations = only(result, "Encounter"), resources(result, "Organization")

    assert [bundle.indices for bundle in result.bundles] == [(0, 1)]
    assert {one["identifier"][1]["value"] for one in organizations} == {"690781810"}
    assert {made["hospitalization"]["origin"]["identifier"]["value"]} <= {key(one) for one in organizations}
    assert made["serviceProvider"]["identifier"]["value"] in {key(one) for one in organizations}
    assert result.refused == {}


def test_an_organization_of_the_bundle_is_found_by_its_finess() -> None:
    finess = identifier("FINEG", "https://finess.esante.gouv.fr", "690781810", types=FR_TYPES)
    site = {"resourceType": "Organization", "id": "site", "identifier": [finess]}
    result = scrubbed(collection(encounter(serviceProvider={"identifier": finess}), site))

    [organization] = resources(result, "Organization")
    assert only(result, "Encounter")["serviceProvider"]["identifier"]["value"] == key(organization)


@pytest.mark.parametrize("component", [False, True])
def test_an_observation_that_is_an_identity_does_not_leave(component: bool) -> None:
    told = {"code": {"coding": [{"system": "http://loinc.org", "code": "21112-8"}]}, "valueDateTime": "1985-09-21"}
    one = observation("o1", component=[told]) if component else observation("o1", **told)

    result = scrubbed(collection(one, observation("o2")))

    assert result.refused == {}
    assert result.dropped["Observation of an identity"] == 1
    assert [bundle.indices for bundle in result.bundles] == [(1,)]
