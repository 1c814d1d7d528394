"""The published Claims of the EDS and EDSH guides beside a real stay: scrubbed, attached, converted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import aphp
from tests.support.deidentified import Numbers, only, outcome, table, values
from tests.support.synthetic_hospital import Gathered
from transformers.contract import Contract
from transformers.deidentify.pseudonyms import Key, TableKeys
from transformers.snds.person import person_rows
from transformers.snds.view import PersonRows

pytestmark = pytest.mark.shared

CONTRACT = Contract(finess="750712184", french_profiles="declared")
RSS = "fhir-eds/ans-eds/examples/Claim-claim-example-1.json"
RUM = "fhir-eds/aphp-edsh/examples/Claim-edsh-claim-rum-example.json"


def converted(shared: Path, claim: str) -> PersonRows:
    """Patient and Encounter of the first case, without its Conditions, and a Claim of its patient."""
    sent = [one for one in aphp.resources(shared, "cas1") if one["resourceType"] in ("Patient", "Encounter")]
    published: dict[str, Any] = json.loads((shared / claim).read_text(encoding="utf-8"))
    published["patient"] = {
        "reference": "Patient/" + next(one["id"] for one in sent if one["resourceType"] == "Patient")
    }
    gathered = Gathered()
    gathered.add(aphp.batch([*sent, published]), CONTRACT)
    [view] = gathered.views()
    return person_rows(view, contract=CONTRACT, pseudonyms=TableKeys(Key(b"k" * 32)), numbers=Numbers())


def test_the_summary_of_a_stay_gives_its_diagnoses_acts_and_modes(shared: Path) -> None:
    rows = converted(shared, RSS)

    assert values([only(rows, "T_MCOaaB")], "DGN_PAL", "NBR_DGN", "NBR_ACT", "ENT_MOD", "SOR_MOD", "SOR_DES") == [
        ("S09", 2, 2, "8", "6", "1")
    ]
    assert values(table(rows, "T_MCOaaD"), "ASS_DGN") == ["I10", "I44"]
    assert values(table(rows, "T_MCOaaA"), "CDC_ACT", "ACV_ACT") == [("NZFA010", "1"), ("NZFA010", "4")]
    assert only(rows, "T_EDSaaSEJ")["FLG_DGN_RUL"] == "0"


def test_the_summary_of_a_unit_gives_the_unit_and_by_it_the_stay(shared: Path) -> None:
    rows = converted(shared, RUM)

    assert values([only(rows, "T_MCOaaB")], "DGN_PAL", "NBR_RUM", "ENT_MOD", "ENT_PRV", "SOR_MOD", "GRG_GHM") == [
        ("I10", 1, "6", "1", "8", "XXXXXX")
    ]
    assert values(table(rows, "T_MCOaaUM"), "DGN_PAL", "DGN_ASS_NBR", "ACT_RUM_NBR") == [("I10", 1, 1)]
    assert (only(rows, "T_EDSaaSEJ")["FLG_DGN_RUL"], outcome(rows, rows.stays[0].key).counts["ghm-incomplete"]) == (
        "2",
        1,
    )
