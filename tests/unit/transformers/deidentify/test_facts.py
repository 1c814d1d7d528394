"""Facts computed before the wall: chaining pseudonyms, return codes, exact ages, removals (stream contract)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.support.scrubbed import (
    INS_NIA,
    INS_NIR,
    TEST_CONTRACT,
    collection,
    contents,
    encounter,
    extension,
    fact,
    flags,
    identifier,
    ins,
    ipp,
    key,
    keys,
    only,
    patient,
    scrubbed,
    values,
)

NIR = "285094415372654"
RELIABILITY = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
MANDATORY = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PUBLICPOL"}


def person(**elements: Any) -> dict[str, Any]:
    found = fact(scrubbed(collection(patient(**elements)), contract=TEST_CONTRACT), "person")
    assert found is not None
    return found


def returns(made: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(extension(made, f"{name}-ret") for name in ("nir", "nai", "sex"))


def coverage(number: str, resource_id: str = "c1", **elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "Coverage", "id": resource_id, "status": "active", "type": {"coding": [MANDATORY]},
        "subscriberId": number, "beneficiary": {"reference": "Patient/p1"}, "payor": [{"display": "CPAM"}],
    } | elements  # fmt: skip


def test_psa_and_ano_are_level_one_of_the_number_birth_date_and_sex() -> None:
    made = person(identifier=[ins(NIR)])
    platform = keys().platform

    assert values(made, "psa") == [platform.psa("2850944153726", "19850921", "2")]
    assert values(made, "ano") == [platform.ano("2850944153726")]
    assert returns(made) == ("0", "0", "0")
    assert extension(made, "nir-status") == "00"


def test_chaining_values_are_the_same_in_every_hospital_and_local_ones_are_not() -> None:
    posted = collection(patient(identifier=[ins(NIR), ipp()]))
    here, there = scrubbed(posted), scrubbed(posted, with_keys=keys(1, 7, finess="690781810"))

    facts = [fact(one, "person") or {} for one in (here, there)]
    assert values(facts[0], "psa") == values(facts[1], "psa") != []
    assert values(facts[0], "ano") == values(facts[1], "ano") != []
    patients = [only(one, "Patient") for one in (here, there)]
    for system in ("resource", "person", "ipp"):
        assert not set(values(patients[0], system)) & set(values(patients[1], system))


@pytest.mark.parametrize(
    ("identifiers", "code"),
    [
        ([], "2"),
        ([ipp()], "2"),
        ([identifier("NH", INS_NIR, NIR)], "2"),
        ([ins("28509441537")], "1"),
        ([ins("ABCDEFGHIJKLMNO")], "3"),
        ([ins("085094415372654")], "4"),
        ([ins("285094415372654", use="old")], "2"),
        ([ins("199999999999999")], "2"),
    ],
)
def test_a_number_that_cannot_be_used_says_why_and_chains_nothing(identifiers: list[Any], code: str) -> None:
    made = person(identifier=identifiers)

    assert returns(made) == (code, "0", "0")
    assert values(made, "psa") == values(made, "ano") == []
    assert extension(made, "nir-status") is None


@pytest.mark.parametrize(
    ("elements", "codes"),
    [
        ({"birthDate": "1985-09"}, ("0", "1", "0")),
        ({"birthDate": "1985-02-31"}, ("0", "4", "0")),
        ({"birthDate": "1785-02-03"}, ("0", "4", "0")),
        ({"gender": "unknown"}, ("0", "0", "1")),
        ({"gender": "other"}, ("0", "0", "1")),
    ],
)
def test_without_birth_date_or_sex_only_ano_chains(elements: dict[str, str], codes: tuple[str, ...]) -> None:
    made = person(identifier=[ins(NIR)], **elements)

    assert returns(made) == codes
    assert values(made, "psa") == []
    assert len(values(made, "ano")) == 1


@pytest.mark.parametrize("status", ["FICT", "ANOM", "CACH", "DESA"])
def test_a_fictitious_or_hidden_identity_is_never_chained(status: str) -> None:
    coding = {"system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0445", "code": status}
    reliability = {"url": RELIABILITY, "extension": [{"url": "identityStatus", "valueCoding": coding}]}
    result = scrubbed(collection(patient(identifier=[ins(NIR)], extension=[reliability]), coverage(NIR)))

    made = fact(result, "person") or {}
    assert values(made, "psa") == values(made, "ano") == []
    assert extension(made, "nir-ret") == "2"
    # an empty fact takes the place of what an earlier version gave
    assert values(fact(result, "insured") or {}, "psa") == []


@pytest.mark.parametrize(
    ("number", "status"), [("5850944153726", "03"), ("6850944153726", "03"), ("7850944153726", "04"),
                           ("8850944153726", "04"), ("3850944153726", "00"), ("2850944153726", "00")],
)  # fmt: skip
def test_provisional_numbers_chain_and_say_so(number: str, status: str) -> None:
    made = person(identifier=[ins(number, system=INS_NIA, code="INS-NIA")])

    assert (extension(made, "nir-status"), extension(made, "nir-ret"), len(values(made, "psa"))) == (status, "0", 1)


@pytest.mark.parametrize(
    ("number", "flag"), [("285094415372654", {"nir-key"}), ("2850944153726", {"nir-key"}), ("285094415372645", set())]
)
def test_a_wrong_or_absent_key_is_flagged_and_chains_all_the_same(number: str, flag: set[str]) -> None:
    made = person(identifier=[ins(number)])

    assert flags(made) == flag
    assert values(made, "ano") == [keys().platform.ano("2850944153726")]


def test_the_rank_of_a_twin_travels_with_the_fact() -> None:
    assert extension(person(multipleBirthInteger=2), "twin-rank") == 2
    assert extension(person(multipleBirthInteger=0), "twin-rank") is None
    assert extension(person(multipleBirthBoolean=True), "twin-rank") is None


def test_the_insured_number_of_a_coverage_replaces_the_own_one_for_chaining() -> None:
    mother = "260027501234582"
    result = scrubbed(collection(patient(identifier=[ins(NIR)]), coverage(mother)))

    made = fact(result, "insured") or {}
    assert values(made, "psa") == [keys().platform.psa("2600275012345", "19850921", "2")]
    assert values(made, "ano") == []
    assert made["subject"]["identifier"]["value"] == values(only(result, "Patient"), "person")[0]
    assert mother.encode() not in result.bundles[0].body


@pytest.mark.parametrize(
    "elements",
    [
        {"subscriberId": "260027501234582"},
        {"identifier": [identifier("NH", "https://caisse.example", "260027501234582")]},
        {"subscriber": {"identifier": ins("260027501234582")}},
    ],
)
def test_the_number_of_the_insured_is_read_wherever_a_coverage_has_it(elements: dict[str, Any]) -> None:
    result = scrubbed(collection(patient(), coverage("CONTRAT-7") | {"subscriberId": "x"} | elements))

    assert values(fact(result, "insured") or {}, "psa") == [keys().platform.psa("2600275012345", "19850921", "2")]


def test_a_billing_number_of_the_patient_is_the_insured_s() -> None:
    result = scrubbed(collection(patient(identifier=[ins(NIR), identifier("NH", INS_NIR, "260027501234582")])))

    assert values(fact(result, "insured") or {}, "psa") == [keys().platform.psa("2600275012345", "19850921", "2")]


def test_a_coverage_without_a_usable_number_makes_no_fact() -> None:
    assert fact(scrubbed(collection(patient(), coverage("MUTUELLE-12"))), "insured") is None
    assert fact(scrubbed(collection(coverage(NIR))), "insured") is None  # no Patient: no birth date, no sex
    assert fact(scrubbed(collection(patient(), coverage(NIR, status="entered-in-error"))), "insured") is None


@pytest.mark.parametrize(
    ("birth", "entry", "years", "days"),
    [
        ("1985-09-21", "2024-09-20", 38, None),
        ("1985-09-21", "2024-09-21", 39, None),
        ("2000-02-29", "2023-02-28", 22, None),
        ("2000-02-29", "2023-03-01", 23, None),
        ("2024-03-01", "2024-03-01T08:15:00+01:00", None, 0),
        ("2023-03-02", "2024-03-01", None, 365),
        ("2023-03-01", "2024-03-01", 1, None),
        ("2024-02-29", "2024-02-29T23:30:00Z", None, 1),  # already the first of March in Paris
        ("1930-01-01", "2024-12-31T23:30:00Z", 95, None),
    ],
)
def test_the_age_is_exact_in_years_and_in_days_below_one_year(
    birth: str, entry: str, years: int | None, days: int | None
) -> None:
    result = scrubbed(collection(patient(birthDate=birth), encounter(period={"start": entry})))
    made = fact(result, "age") or {}

    assert (extension(made, "age-years"), extension(made, "age-days")) == (years, days)
    stay = only(result, "Encounter")
    assert extension(made, "encounter") == {
        "type": "Encounter",
        "identifier": {"system": "urn:snds-gateway:stay", "value": values(stay, "stay")[0]},
        "extension": [{"url": "urn:snds-gateway:resource", "valueString": key(stay)}],
    }


@pytest.mark.parametrize(
    ("born", "period"),
    [("1985-09", {"start": "2024-03-01"}), ("1985-09-21", {"start": "2024-03"}), ("1985-09-21", {}),
     ("2025-01-01", {"start": "2024-03-01"})],
)  # fmt: skip
def test_an_age_that_cannot_be_exact_is_not_made_up(born: str, period: dict[str, str]) -> None:
    assert fact(scrubbed(collection(patient(birthDate=born), encounter(period=period))), "age") is None


def test_a_fact_has_the_later_stamp_of_what_it_is_made_from() -> None:
    early, late = "2024-03-01T10:00:00+01:00", "2024-03-01T09:30:00Z"
    result = scrubbed(
        collection(
            patient(meta={"lastUpdated": early, "versionId": "9"}),
            encounter(meta={"lastUpdated": late, "versionId": "2"}),
        )
    )

    assert (fact(result, "age") or {})["meta"] == {"lastUpdated": late, "versionId": "2"}
    assert (fact(result, "person") or {})["meta"] == {"lastUpdated": early, "versionId": "9"}


def test_a_delete_names_what_it_removes_and_the_facts_made_from_it() -> None:
    kept = scrubbed(collection(patient(), encounter()))
    removed = scrubbed({}, method="DELETE", resource_id="p1", expected_type="Patient")

    keys_of_facts = {key(fact(kept, name) or {}) for name in ("person",)}
    [bundle] = removed.bundles
    assert bundle.key == f"resource|{key(only(kept, 'Patient'))}"
    gone = {key(one): extension(one, "type") for one in contents(removed)}
    assert gone[key(only(kept, "Patient"))] == "Patient"
    assert keys_of_facts <= gone.keys()
    assert {gone[one] for one in keys_of_facts} == {"Basic"}
    assert all(
        one["code"]["coding"][0] == {"system": "urn:snds-gateway:fact", "code": "deleted"} for one in contents(removed)
    )


def test_a_delete_in_a_bundle_is_an_event_of_its_own() -> None:
    entry = {"request": {"method": "DELETE", "url": "Observation/o1"}}
    result = scrubbed({"resourceType": "Bundle", "type": "batch", "entry": [{"resource": patient()}, entry]})

    assert [(bundle.key.partition("|")[0], bundle.indices) for bundle in result.bundles] == [
        ("person", (0,)),
        ("resource", (1,)),
    ]
    assert b"Observation" in result.bundles[1].body


def test_facts_hold_nothing_but_pseudonyms_codes_and_numbers() -> None:
    result = scrubbed(collection(patient(identifier=[ins(NIR), ipp()]), encounter(), coverage(NIR)))

    body = orjson.dumps([one for one in contents(result) if one["resourceType"] == "Basic"])
    assert not [needle for needle in (b"2850944", b"1985-09-21", b"19850921", b"IPP-1", b'p1"') if needle in body]
