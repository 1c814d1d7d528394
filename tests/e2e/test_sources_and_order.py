"""Two sources of one hospital, late corrections, a Patient that comes last: the tables end the same."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest

from tests.support.installation import FINESS, Installation

pytestmark = pytest.mark.slow

INS_TEST = "urn:oid:1.2.250.1.213.1.4.10"
FR_TYPES = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
ENCOUNTER_TYPES = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-identifier-type"
VISIT = {
    "type": {"coding": [{"system": ENCOUNTER_TYPES, "code": "VN"}]},
    "system": "urn:oid:1.2.250.1.71.4.2.2.750712184",
    "value": "NDA-000123",
}
IPP = {
    "use": "usual",
    "type": {"coding": [{"system": V2_0203, "code": "PI", "display": "Patient internal identifier"}]},
    "system": "urn:oid:1.2.250.1.71.4.2.2.750712184.1",
    "value": "IPP-000777",
}


def patient(**changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [IPP, INS],
        "name": [{"use": "official", "family": "EXEMPLE", "given": ["ALIX"]}],
        "gender": "female",
        "birthDate": "1960-02-29",
        "multipleBirthInteger": 1,
    } | changes


INS = {
    "use": "official",
    "type": {"coding": [{"system": FR_TYPES, "code": "INS-NIR-TEST"}]},
    "system": INS_TEST,
    "value": "260027501234582",
}


def encounter(**changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": "e1",
        "meta": {"lastUpdated": "2024-03-10T10:00:00Z"},
        "identifier": [VISIT],
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"reference": "Patient/p1"},
        "period": {"start": "2024-03-01T08:00:00+01:00", "end": "2024-03-05T11:00:00+01:00"},
        "hospitalization": {
            "admitSource": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/admit-source", "code": "gp"}]},
            "dischargeDisposition": {
                "coding": [{"system": "http://terminology.hl7.org/CodeSystem/discharge-disposition", "code": "home"}]
            },
        },
    } | changes


def condition(identifier: str, code: str, role: str) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": identifier,
        "category": [
            {"coding": [{"system": "https://interop.aphp.fr/ig/fhir/dm/CodeSystem/pmsi-mco-diag-type", "code": role}]}
        ],
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": code}]},
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"},
    }


def laboratory() -> list[dict[str, Any]]:
    """What a laboratory sends: `urn:uuid`, the IPP, a stub of the Encounter that it knows by the visit number."""
    return [
        {
            "fullUrl": "urn:uuid:0b9f1a56-7d0a-4a0e-9b53-6b5a5f6d2a01",
            "resource": {
                "resourceType": "Encounter",
                "identifier": [VISIT],
                "status": "in-progress",
                "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
                "subject": {"identifier": IPP},
                "period": {"start": "2024-03-01"},
            },
        },
        {
            "fullUrl": "urn:uuid:0b9f1a56-7d0a-4a0e-9b53-6b5a5f6d2a02",
            "resource": {
                "resourceType": "Observation",
                "identifier": [{"system": "urn:oid:1.2.250.1.999.1", "value": "LAB-4711"}],
                "status": "final",
                "category": [
                    {
                        "coding": [
                            {
                                "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                                "code": "laboratory",
                            }
                        ]
                    }
                ],
                "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
                "subject": {"identifier": IPP},
                "encounter": {"reference": "urn:uuid:0b9f1a56-7d0a-4a0e-9b53-6b5a5f6d2a01"},
                "effectiveDateTime": "2024-03-02T07:30:00+01:00",
                "valueQuantity": {"value": 13.2, "system": "http://unitsofmeasure.org", "code": "g/dL"},
            },
        },
    ]


def bundle(kind: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def put(*resources: dict[str, Any]) -> dict[str, Any]:
    return bundle(
        "transaction",
        [
            {
                "fullUrl": f"https://dpi.example/fhir/{one['resourceType']}/{one['id']}",
                "resource": one,
                "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"},
            }
            for one in resources
        ],
    )


def rows(installation: Installation) -> dict[str, list[tuple[Any, ...]]]:
    tables = [
        name for (name,) in installation.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1")
    ]
    return {name: sorted(installation.sql(f'SELECT * FROM "{name}"'), key=repr) for name in tables}


def add_laboratory(installation: Installation) -> None:
    from tests.support.installation import snds_gateway

    snds_gateway(
        "hospital", "add", "--data-dir", str(installation.data_dir), "--finess", FINESS, "--source", "LABO"
    )  # fmt: skip


def accepted(answer: Any) -> None:
    assert answer.status_code == 200, answer.text
    assert all(entry["response"]["status"].startswith("202") for entry in answer.json()["entry"])


def test_a_laboratory_and_a_patient_record_feed_one_stay(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data", "--test-identities", "--french-profiles", "declared")
    add_laboratory(installation)
    with installation.serving():
        accepted(installation.post(bundle("collection", laboratory()), name=f"{FINESS}-LABO"))
        waiting = installation.wait_idle()
        accepted(installation.post(put(patient(), encounter(), condition("c1", "I10", "DP"))))
        accounts = installation.wait_idle()

        stays = installation.sql("SELECT RSA_NUM, SEJ_NBJ FROM T_MCO24B")
        results = installation.sql("SELECT RSA_NUM, BIO_LOI_COD, PLV_DAT_DEL FROM T_EDS24BIO")

    assert waiting["stays"]["written"] == 0
    assert accounts["stays"]["written"] == 1
    assert len(stays) == 1
    assert stays[0][1] == 4
    assert results == [(stays[0][0], "718-7", 1)]


def test_an_older_correction_that_comes_late_is_acknowledged_and_superseded(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data", "--test-identities", "--french-profiles", "declared")
    older = encounter(
        meta={"lastUpdated": "2024-03-06T10:00:00Z"},
        period={"start": "2024-03-01T08:00:00+01:00", "end": "2024-03-03T11:00:00+01:00"},
    )
    with installation.serving():
        accepted(installation.post(put(patient(), encounter(), condition("c1", "I10", "DP"))))
        before = installation.wait_idle()
        accepted(installation.post(put(older)))
        after = installation.wait_idle()

        nights = installation.sql("SELECT SEJ_NBJ FROM T_MCO24B")

    assert nights == [(4,)]
    assert after["superseded"] > before["superseded"]
    assert after["lag"] == 0


def test_a_discharge_before_its_patient_waits_in_quarantine(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data", "--test-identities", "--french-profiles", "declared")
    with installation.serving():
        accepted(installation.post(put(encounter(), condition("c1", "I10", "DP"))))
        waiting = installation.wait_idle()
        accepted(installation.post(put(patient())))
        arrived = installation.wait_idle()

        ages = installation.sql("SELECT b.AGE_ANN, s.FLG_AGE_APX FROM T_MCO24B b JOIN T_EDS24SEJ s USING (RSA_NUM)")

    assert (waiting["stays"]["quarantined"], waiting["stays"]["written"]) == (1, 0)
    assert (arrived["stays"]["quarantined"], arrived["stays"]["written"]) == (0, 1)
    assert ages == [(64, "1")]


def test_any_order_of_bundles_and_entries_gives_the_same_tables(tmp_path: Path) -> None:
    resources = [
        patient(),
        encounter(),
        condition("c1", "I10", "DP"),
        condition("c2", "E11", "DA"),
        condition("c3", "J80", "DA"),
    ]
    outcomes = []
    keys = None
    for seed in (1, 2, 3):
        order = copy.deepcopy(resources)
        random.Random(seed).shuffle(order)
        installation = Installation(tmp_path / f"data{seed}", "--test-identities", "--french-profiles", "declared")
        if keys is None:
            keys = installation.data_dir / "keys"
        else:
            for path in (installation.data_dir / "keys").iterdir():
                path.unlink()
                path.write_bytes((keys / path.name).read_bytes())
                path.chmod(0o400)
        with installation.serving():
            half = len(order) // 2
            # the Patient and the Encounter travel together, so that the exact age is known in each order
            first = [one for one in order if one["resourceType"] in ("Patient", "Encounter")]
            rest = [one for one in order if one not in first]
            groups = [first, rest[:half], rest[half:]]
            random.Random(seed).shuffle(groups)
            for group in groups:
                if group:
                    accepted(installation.post(put(*group)))
            installation.wait_idle()
            outcomes.append(rows(installation))

    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert len(outcomes[0]["T_MCO24D"]) == 2
