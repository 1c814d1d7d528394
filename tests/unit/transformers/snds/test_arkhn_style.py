"""The style of the oldest French PMSI guide (RSS parent, RUM children, PMSICS categories), scrubbed, converted."""

from __future__ import annotations

from typing import Any

from tests.support.deidentified import Numbers, only, table, values
from tests.support.made_events import Pseudonyms
from tests.support.synthetic_hospital import Gathered
from transformers.contract import Contract
from transformers.snds.person import person_rows

CONTRACT = Contract(finess="750712184", test=True, french_profiles="declared")
PMSI = "http://fhir.arkhn.com/PMSICS"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
INS = {
    "use": "official",
    "type": {
        "coding": [{"system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203", "code": "INS-NIR-TEST"}]
    },
    "system": "urn:oid:1.2.250.1.213.1.4.10",
    "value": "260027501234582",
}


def put(**resource: Any) -> dict[str, Any]:
    return {"resource": resource, "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}}


def stay(name: str, start: str, end: str, **more: Any) -> dict[str, Any]:
    return put(
        resourceType="Encounter", id=name, status="finished", subject={"reference": "Patient/p"},
        period={"start": start, "end": end}, **{"class": {"system": ACT, "code": "IMP"}}, **more,
    )  # fmt: skip


def coded(name: str, code: str, role: str, unit: str) -> dict[str, Any]:
    return put(
        resourceType="Condition", id=name, subject={"reference": "Patient/p"},
        encounter={"reference": f"Encounter/{unit}"}, category=[{"coding": [{"system": PMSI, "code": role}]}],
        code={"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": code}]},
    )  # fmt: skip


def test_a_stay_with_its_units_is_read() -> None:
    named = [{"condition": {"reference": "Condition/c1"}, "rank": 1, "use": {"coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/diagnosis-role", "code": "billing"}]}}]  # fmt: skip
    entries = [
        put(resourceType="Patient", id="p", identifier=[INS], gender="female", birthDate="1960-02-29"),
        stay("rss", "2022-03-01T08:00:00+01:00", "2022-03-09T11:00:00+01:00", diagnosis=named, hospitalization={
            "admitSource": {"coding": [{"system": "http://fhir.arkhn.com/EntryCS", "code": "85"}]},
            "dischargeDisposition": {"coding": [{"system": "http://fhir.arkhn.com/ExitCS", "code": "72"}]}}),
        stay("rum-1", "2022-03-01T08:00:00+01:00", "2022-03-03T09:00:00+01:00", partOf={"reference": "Encounter/rss"}),
        stay("rum-2", "2022-03-03T09:00:00+01:00", "2022-03-09T11:00:00+01:00", partOf={"reference": "Encounter/rss"}),
        coded("c1", "I21.9", "DP", "rum-1"),
        coded("c2", "J18.9", "DP", "rum-2"),
        coded("c3", "E11.9", "DASS", "rum-2"),
    ]  # fmt: skip
    gathered = Gathered()
    gathered.add({"resourceType": "Bundle", "type": "transaction", "entry": entries}, CONTRACT)
    [view] = gathered.views()

    rows = person_rows(view, contract=CONTRACT, pseudonyms=Pseudonyms(), numbers=Numbers())

    row = only(rows, "T_MCOaaB")
    assert [row[name] for name in ("DGN_PAL", "SEQ_RUM", "ENT_MOD", "ENT_PRV", "SOR_MOD", "SOR_DES", "SEJ_NBJ")] == [
        "I219", "01", "8", "5", "7", "2", 8
    ]  # fmt: skip
    assert values(table(rows, "T_MCOaaUM"), "DGN_PAL", "PAR_DUR_SEJ", "DGN_ASS_NBR") == [("I219", 2, 0), ("J189", 6, 1)]
    assert (only(rows, "T_EDSaaSEJ")["FLG_DGN_RUL"], row["AGE_ANN"]) == ("1", 62)
