"""What was known of a person's number is not erased by a later version without it (DESIGN §4)."""

from __future__ import annotations

import copy
from typing import Any

from gateway.synthetic.bundles import stay_bundle
from gateway.synthetic.plan import plan_stay
from tests.support.deidentified import FINESS, Numbers, only
from tests.support.made_events import Pseudonyms
from tests.support.synthetic_hospital import HOSPITAL, Gathered, contract
from transformers.snds.person import person_rows
from transformers.snds.view import PersonRows

CONTRACT = contract()
SENT = stay_bundle(4, HOSPITAL, plan_stay(4, 15))
FAILURE = "x" * 17


def entry_of(bundle: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(one for one in bundle["entry"] if one["resource"]["resourceType"] == kind)


def later(**changes: Any) -> dict[str, Any]:
    """The Patient alone, one version later; None removes an element."""
    entry = copy.deepcopy(entry_of(SENT, "Patient"))
    patient = entry["resource"]
    patient["meta"] |= {"versionId": "9", "lastUpdated": "2030-01-01T00:00:00Z"}
    for name, value in changes.items():
        if value is None:
            patient.pop(name)
        else:
            patient[name] = value
    return {"resourceType": "Bundle", "type": "transaction", "id": "later", "entry": [entry]}


def rows_of(*bundles: dict[str, Any]) -> PersonRows:
    gathered = Gathered()
    for bundle in bundles:
        gathered.add(bundle, CONTRACT)
    [view] = gathered.views()
    return person_rows(view, contract=CONTRACT, pseudonyms=Pseudonyms(), numbers=Numbers())


def pseudonym(rows: PersonRows) -> str:
    assert rows.stays[0].status == "written"
    return str(only(rows, "T_MCOaaC")["NIR_ANO_17"])


def ipp_alone() -> list[dict[str, Any]]:
    listed = entry_of(SENT, "Patient")["resource"]["identifier"]
    return [one for one in listed if one["type"]["coding"][0]["code"] == "PI"]


def test_a_later_patient_without_its_number_still_chains() -> None:
    before, after = rows_of(SENT), rows_of(SENT, later(identifier=ipp_alone()))

    assert pseudonym(after) == pseudonym(before) != FAILURE
    assert only(after, "T_MCOaaC")["NIR_RET"] == "0"
    assert only(after, "IR_BEN_R")["BEN_NIR_ANO"] == only(before, "IR_BEN_R")["BEN_NIR_ANO"]


def test_the_order_of_the_two_versions_changes_nothing() -> None:
    without = later(identifier=ipp_alone())

    assert rows_of(SENT, without).tables == rows_of(without, SENT).tables


def test_a_later_patient_without_birth_date_still_chains() -> None:
    assert pseudonym(rows_of(SENT, later(birthDate=None))) == pseudonym(rows_of(SENT))


def test_an_identity_found_to_be_fictitious_chains_no_more() -> None:
    reliability = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
    status = {"system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0445", "code": "FICT"}
    extension = [{"url": reliability, "extension": [{"url": "identityStatus", "valueCoding": status}]}]
    rows = rows_of(SENT, later(extension=extension))

    assert pseudonym(rows) == FAILURE
    assert "IR_BEN_R" not in rows.tables
    assert only(rows, "T_MCOaaB")["ETA_NUM"] == FINESS
