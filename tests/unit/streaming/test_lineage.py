"""`explain` says which events gave a row and each of its columns, as the conversion itself would answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from streaming import sqlite
from streaming.broker import Counts
from streaming.conversion import Rules
from streaming.embedded_log import EmbeddedConsumer, EmbeddedLog
from streaming.event import Event
from streaming.lineage import Explained, LineageError, explain
from streaming.table_writer import TableWriter
from tests.support.made_events import FINESS, condition, encounter, event, patient, reference, resource
from transformers.contract import Contract
from transformers.deidentify.pseudonyms import TableKeys, random_key

THO = "http://terminology.hl7.org/CodeSystem/"
ROLES = "https://interop.aphp.fr/ig/fhir/dm/CodeSystem/pmsi-mco-diag-type"
CONTRACT = Contract(finess=FINESS, name="CHU FICTIF")
PERIOD = {"start": "2024-03-01T09:00:00+01:00", "end": "2024-03-05T11:00:00+01:00"}


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def diagnosis(key: str, code: str, role: str) -> Any:
    icd = coded("http://hl7.org/fhir/sid/icd-10", code)
    return condition(key, code) | {"code": icd, "category": [coded(ROLES, role)]}


def events() -> list[Event]:
    subject = reference("Patient", "person", "rest-1")
    stay = reference("Encounter", "stay", "visit-1")
    fact = resource(
        "Basic", "fact", code=coded("urn:snds-gateway:fact", "person"), subject=subject,
        identifier=[{"system": f"urn:snds-gateway:{name}", "value": f"{name}-level-one"} for name in ("psa", "ano")],
    )  # fmt: skip
    result = resource(
        "Observation", "result", status="final", subject=subject, encounter=stay,
        category=[coded(THO + "observation-category", "laboratory")], code=coded("http://loinc.org", "718-7"),
        effectiveDateTime="2024-03-02T09:00:00+01:00", specimen=reference("Specimen", "resource", "specimen"),
        valueQuantity={"value": 13, "system": "http://unitsofmeasure.org", "code": "g/dL"},
    )  # fmt: skip
    specimen = resource(
        "Specimen", "specimen", subject=subject, collection={"collectedDateTime": "2024-03-01T12:00:00+01:00"}
    )
    emergency = coded(THO + "admit-source", "emd")
    return [
        event(patient(gender="female", birthDate="1960-02"), fact, named="event-person"),
        event(
            encounter(period=PERIOD, hospitalization={"admitSource": emergency}) | {"class": {"code": "IMP"}},
            diagnosis("dp", "I21.9", "DP"), named="event-stay",
        ),
        event(diagnosis("das", "E78.0", "DA"), named="event-associated"),
        event(result, specimen, named="event-laboratory"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TableKeys, TableWriter]:
    data_dir = tmp_path_factory.mktemp("data")
    log = EmbeddedLog(data_dir / "events.sqlite")
    for one in events():
        asyncio.run(log.publish([one], Counts(FINESS)))
    log.close_now()
    keys = TableKeys(random_key())
    consumer = EmbeddedConsumer(data_dir / "events.sqlite")
    writer = TableWriter(data_dir, consumer=consumer, rules=Rules(contracts=lambda _: CONTRACT, pseudonyms=keys))
    writer.drain()
    yield data_dir, keys, writer
    writer.close()
    consumer.close()


def ask(installation: Any, table: str, key: str) -> list[Explained]:
    data_dir, keys, _ = installation
    state = sqlite.connect_read_only(data_dir / "ops.sqlite")
    try:
        return explain(state, data_dir, table, key, keys=keys, contracts=lambda _: CONTRACT)
    finally:
        state.close()


def given(one: Explained, column: str) -> set[tuple[str, str, int]]:
    [found] = [found for found in one.traced.columns if found.name == column]
    keys = (*found.given_by, *found.named)
    return {(one.origins[key].type, one.origins[key].event_id, one.origins[key].offset or 0) for key in keys}


def value(one: Explained, column: str) -> Any:
    [found] = [found.value for found in one.traced.columns if found.name == column]
    return found


def number(installation: Any) -> str:
    [(found,)] = installation[2].sink.query("SELECT RSA_NUM FROM T_MCO24B")
    return str(found)


def test_every_column_of_a_stay_leads_to_its_events(installation: Any) -> None:
    [one] = ask(installation, "T_MCO24B", number(installation))

    assert given(one, "NBR_DGN") == {("Condition", "event-associated", 3)}
    assert ("Condition", "event-stay", 2) in given(one, "DGN_PAL")
    assert ("Encounter", "event-stay", 2) in given(one, "SEJ_NBJ")
    assert ("Patient", "event-person", 1) in given(one, "COD_SEX")
    needed = {one.origins[key].event_id for key in one.traced.needed}
    assert needed == {"event-person", "event-stay"}
    assert {origin.entry for origin in one.origins.values() if origin.event_id == "event-stay"} == {0, 1}


def test_an_explained_row_is_the_published_one(installation: Any) -> None:
    published = installation[2].sink.query("SELECT * FROM T_MCO24B")

    [one] = ask(installation, "T_MCO24B", f"{FINESS}/{number(installation)}")

    assert [tuple(column.value for column in one.traced.columns)] == published


def test_a_result_leads_to_its_specimen_and_its_stay(installation: Any) -> None:
    [(key,)] = installation[2].sink.query("SELECT BIO_RES_NUM FROM T_EDS24BIO")

    [one] = ask(installation, "T_EDS24BIO", str(key))

    assert value(one, "PLV_MIN_DEL") == 180
    assert given(one, "PLV_MIN_DEL") >= {("Specimen", "event-laboratory", 4)}
    assert given(one, "BIO_VAL_NUM") == {("Observation", "event-laboratory", 4)}


def test_a_diagnosis_is_found_by_its_order(installation: Any) -> None:
    [one] = ask(installation, "T_MCO24D", f"{number(installation)}/1")

    assert value(one, "ASS_DGN") == "E780"
    assert ("Condition", "event-associated", 3) in given(one, "ASS_DGN") | {
        (one.origins[key].type, one.origins[key].event_id, one.origins[key].offset or 0) for key in one.traced.needed
    }


def test_a_beneficiary_leads_to_its_facts(installation: Any) -> None:
    [(key,)] = installation[2].sink.query("SELECT BEN_NIR_PSA FROM IR_BEN_R")

    [one] = ask(installation, "IR_BEN_R", str(key))

    assert ("Basic", "event-person") in {(origin.type, origin.event_id) for origin in one.origins.values()}
    assert given(one, "BEN_NAI_ANN") == {("Patient", "event-person", 1)}


@pytest.mark.parametrize(
    ("table", "key", "code"),
    [
        ("T_MCO24B", "9999999999", "row-unknown"),
        ("T_EDS24BIO", "nothing", "row-unknown"),
        ("IR_BEN_R", "nobody", "row-unknown"),
        ("ER_PRS_F", "12", "row-unknown"),
        ("T_MCO24CSTC", "0000000Z", "row-unknown"),
        ("T_MCO24CSTC", "-", "row-unknown"),
        ("T_XXX", "1", "table-unknown"),
    ],
)
def test_an_unknown_row_is_one_code(installation: Any, table: str, key: str, code: str) -> None:
    with pytest.raises(LineageError, match=code):
        ask(installation, table, key)


def test_nothing_local_is_shown(installation: Any) -> None:
    from gateway.cli.explaining import told

    [one] = ask(installation, "T_MCO24B", number(installation))

    shown = repr(told(one, "en"))
    assert not [key for key in ("rest-1", "visit-1", "psa-level-one", "enc-1", "'dp'", "'das'") if key in shown]


def test_a_table_of_no_person_cannot_be_explained(installation: Any) -> None:
    with pytest.raises(LineageError, match="table-not-of-a-person"):
        ask(installation, "T_MCO24E", FINESS)
