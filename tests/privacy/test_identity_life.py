"""The life of an identity: merged patients, corrected INS, a stay that changes hands, a new visit number.

Posted FHIR goes through the real scrubbing, the real staging and the real conversion; rows follow, none is orphaned.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from streaming.conversion import Rules
from streaming.event import Event, event_of
from tests.support.made_events import log_of, written
from tests.support.scrubbed import (
    INS_NIA,
    KEYS,
    TEST_CONTRACT,
    collection,
    encounter,
    identifier,
    ins,
    ipp,
    patient,
    scrubbed,
    urn,
    visit,
)
from transformers.contract import Contract
from transformers.deidentify.keys import GatewayKeys
from transformers.deidentify.pseudonyms import Key, PlatformKey, TableKeys

START = datetime(2024, 3, 6, 9, tzinfo=UTC)
TABLES = TableKeys(Key(bytes(range(3, 35))))
NIR, OTHER_NIR = "285094415372645", "260027501234582"
MOTHER = "255057501234591"


def stay(resource_id: str | None = "e1", person: str = "Patient/p1", **elements: Any) -> dict[str, Any]:
    own = {
        "subject": {"reference": person},
        "identifier": [visit()],
        "diagnosis": [{"condition": {"reference": "Condition/c1"}, "rank": 1, "use": role("DD")}],
    }
    return encounter(resource_id, **(own | elements))


def role(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/diagnosis-role", "code": code}]}


def diagnosis(person: str = "Patient/p1", **elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": "c1",
        "subject": {"reference": person},
        "encounter": {"reference": "Encounter/e1"},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}]},
    } | elements


def coverage(number: str) -> dict[str, Any]:
    return {
        "resourceType": "Coverage", "id": "cov", "status": "active", "subscriberId": number,
        "beneficiary": {"reference": "Patient/p1"}, "payor": [{"display": "CPAM"}],
    }  # fmt: skip


def events(*posted: dict[str, Any], with_keys: GatewayKeys = KEYS, start: datetime = START) -> list[Event]:
    """What the gateway publishes for bundles that come one minute after another."""
    made = []
    for number, bundle in enumerate(posted):
        result = scrubbed(bundle, contract=TEST_CONTRACT, with_keys=with_keys)
        assert result.refused == {}
        at = start + timedelta(minutes=number)
        made += [event_of(one, ledger=KEYS.ledger, received_at=at, definitions_version="x") for one in result.bundles]
    return made


def rows(folder: Path, *posted: dict[str, Any]) -> dict[str, list[tuple[Any, ...]]]:
    """The stays (nights, chaining number) and the persons that the tables hold in the end."""
    return rows_of(folder, events(*posted))


def rows_of(folder: Path, published: list[Event]) -> dict[str, list[tuple[Any, ...]]]:
    contract = Contract(finess=TEST_CONTRACT.finess, name="CHU FICTIF", test=True)
    rules = Rules(contracts=lambda _finess: contract, pseudonyms=TABLES)
    written(folder, log_of(published), rules=rules).close()
    with duckdb.connect(str(folder / "tables.duckdb"), read_only=True) as store:
        names = {name for (name,) in store.execute("SELECT table_name FROM duckdb_tables()").fetchall()}

        def ask(query: str, table: str) -> list[tuple[Any, ...]]:
            return sorted(store.execute(query).fetchall()) if table in names else []

        return {
            "stays": ask(
                "SELECT b.SEJ_NBJ, c.NIR_ANO_17 FROM T_MCO24B b JOIN T_MCO24C c USING (ETA_NUM, RSA_NUM)", "T_MCO24C"
            ),
            "persons": ask("SELECT BEN_NIR_PSA FROM IR_BEN_R", "IR_BEN_R"),
        }


def chained(nir: str, birth: str = "19850921", sex: str = "2") -> str:
    return TABLES.nir_ano_17(KEYS.platform.psa(nir[:13], birth, sex))


def test_a_stay_of_a_known_person_chains_by_its_number(tmp_path: Path) -> None:
    found = rows(tmp_path, collection(patient(identifier=[ins(NIR), ipp()]), stay(), diagnosis()))

    assert found == {"stays": [(4, chained(NIR))], "persons": [(chained(NIR),)]}


@pytest.mark.parametrize("late", [False, True])
def test_a_merged_patient_brings_its_stays_to_the_one_that_stays(tmp_path: Path, late: bool) -> None:
    old = patient("p1", identifier=[ipp("OLD")])
    kept = patient(
        "p2", identifier=[ins(NIR), ipp("NEW")], link=[{"other": {"reference": "Patient/p1"}, "type": "replaces"}]
    )
    posted = [collection(old), collection(stay(), diagnosis()), collection(kept)]

    found = rows(tmp_path, *(posted[::-1] if late else posted))

    assert found == {"stays": [(4, chained(NIR))], "persons": [(chained(NIR),)]}


@pytest.mark.parametrize("late", [False, True])
def test_a_patient_that_says_by_whom_it_was_replaced_follows(tmp_path: Path, late: bool) -> None:
    old = patient("p1", identifier=[ipp("OLD")])
    replaced = old | {"active": False, "link": [{"other": {"reference": "Patient/p2"}, "type": "replaced-by"}]}
    kept = patient("p2", identifier=[ins(NIR), ipp("NEW")])
    posted = [collection(old, stay(), diagnosis()), collection(kept), collection(replaced)]

    found = rows(tmp_path, *([posted[0], posted[2], posted[1]] if late else posted))

    assert found == {"stays": [(4, chained(NIR))], "persons": [(chained(NIR),)]}


def test_under_a_new_platform_key_a_patient_sent_again_takes_all_its_stays_along(tmp_path: Path) -> None:
    """Nobody is orphaned: who is not sent again keeps its old value, and its stays go on together."""
    renewed = replace(KEYS, platform=PlatformKey(Key(bytes(range(40, 72)))), former=(KEYS.platform,))
    others = [
        patient("p2", identifier=[ins(OTHER_NIR)]),
        stay("e2", "Patient/p2", identifier=[visit("NDA-2")], diagnosis=[]),
        diagnosis("Patient/p2", id="c2", encounter={"reference": "Encounter/e2"}, category=[role("DP")]),
    ]
    before = events(collection(patient(identifier=[ins(NIR)]), stay(), diagnosis()), collection(*others))
    again = events(collection(patient(identifier=[ins(NIR)])), with_keys=renewed, start=START + timedelta(hours=1))

    found = rows_of(tmp_path, [*before, *again])

    new = TABLES.nir_ano_17(renewed.platform.psa(NIR[:13], "19850921", "2"))
    assert sorted(number for _, number in found["stays"]) == sorted([new, chained(OTHER_NIR)])
    assert chained(NIR) not in str(found)
    old = KEYS.platform.ano(NIR[:13])
    assert all(old.encode() not in one.value for one in again)  # kept for the register only


def test_a_provisional_number_that_becomes_certain_re_keys_every_stay(tmp_path: Path) -> None:
    waiting = ins("8850975123456", system=INS_NIA, code="INS-NIA")
    found = rows(
        tmp_path,
        collection(patient(identifier=[waiting]), stay(), diagnosis()),
        collection(patient(identifier=[ins(NIR)])),
    )

    assert found == {"stays": [(4, chained(NIR))], "persons": [(chained(NIR),)]}


def test_a_number_that_was_wrong_leaves_no_trace(tmp_path: Path) -> None:
    found = rows(
        tmp_path,
        collection(patient(identifier=[ins(OTHER_NIR)]), stay(), diagnosis()),
        collection(patient(identifier=[ins(NIR)])),
    )

    assert found == {"stays": [(4, chained(NIR))], "persons": [(chained(NIR),)]}


def test_a_late_coverage_chains_a_child_by_its_mother(tmp_path: Path) -> None:
    found = rows(
        tmp_path,
        collection(patient(identifier=[ins(NIR)]), stay(), diagnosis()),
        collection(patient(identifier=[ins(NIR)]), coverage(MOTHER)),
    )

    assert found == {"stays": [(4, chained(MOTHER))], "persons": [(chained(MOTHER),)]}


def test_a_later_patient_that_says_nothing_of_its_number_erases_no_chaining(tmp_path: Path) -> None:
    found = rows(
        tmp_path,
        collection(patient(identifier=[ins(NIR)]), stay(), diagnosis()),
        collection(patient(identifier=[ipp()])),
    )

    assert found == {"stays": [(4, chained(NIR))], "persons": [(chained(NIR),)]}


def test_an_identity_that_turns_out_fictitious_is_not_chained_any_more(tmp_path: Path) -> None:
    url = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
    status = {"system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0445", "code": "FICT"}
    doubt = {"url": url, "extension": [{"url": "identityStatus", "valueCoding": status}]}
    found = rows(
        tmp_path,
        collection(patient(identifier=[ins(NIR)]), stay(), diagnosis()),
        collection(patient(identifier=[ins(NIR)], extension=[doubt])),
    )

    assert found == {"stays": [(4, "x" * 17)], "persons": []}


def test_a_stay_moved_to_another_patient_leaves_the_first_one(tmp_path: Path) -> None:
    found = rows(
        tmp_path,
        collection(patient("p1", identifier=[ins(NIR)]), stay(), diagnosis()),
        collection(
            patient("p2", identifier=[ins(OTHER_NIR)], birthDate="1960-02-29"),
            stay(person="Patient/p2"),
            diagnosis("Patient/p2"),
        ),
    )

    assert found["stays"] == [(4, chained(OTHER_NIR, "19600229"))]
    assert (chained(OTHER_NIR, "19600229"),) in found["persons"]


def test_a_new_visit_number_is_the_same_stay(tmp_path: Path) -> None:
    found = rows(
        tmp_path,
        collection(patient(identifier=[ins(NIR)]), stay(), diagnosis()),
        collection(patient(identifier=[ins(NIR)]), stay(identifier=[visit("NDA-2")])),
    )

    assert found["stays"] == [(4, chained(NIR))]


def test_two_sources_name_one_stay_by_its_visit_number(tmp_path: Path) -> None:
    """A laboratory without ids of its own names person and stay by IPP and visit number: nothing is written twice."""
    stub = encounter(None, identifier=[visit()], subject={"identifier": ipp()}, status="in-progress", period={})
    result = {
        "resourceType": "Observation", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"identifier": ipp()}, "encounter": {"reference": urn(0)}, "effectiveDateTime": "2024-03-02",
    }  # fmt: skip
    found = rows(
        tmp_path,
        collection(stub, result),
        collection(patient(identifier=[ins(NIR), ipp()]), stay(), diagnosis()),
    )

    assert found == {"stays": [(4, chained(NIR))], "persons": [(chained(NIR),)]}


def test_a_family_that_shares_a_billing_number_stays_apart(tmp_path: Path) -> None:
    shared = identifier("NH", "https://caisse.example", MOTHER)
    found = rows(
        tmp_path,
        collection(patient("p1", identifier=[shared]), stay(), diagnosis()),
        collection(
            patient("p2", identifier=[shared], birthDate="2015-06-01", gender="male"),
            stay("e2", person="Patient/p2", identifier=[visit("NDA-2")], diagnosis=[]),
            diagnosis("Patient/p2", id="c2", encounter={"reference": "Encounter/e2"}, category=[role("DP")]),
        ),
    )

    assert len({number for _, number in found["stays"]}) == len(found["stays"]) >= 1
    assert {(chained(MOTHER),), (chained(MOTHER, "20150601", "1"),)} >= {(number,) for _, number in found["stays"]}
