"""The clinical resources of a university hospital's five public cases give the rows that issue A counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import aphp
from tests.support.clinical_resources import convert, rows, to_stay
from transformers.snds.instants import moment
from transformers.snds.placing import Place

YEARS = {"cas1": 2024, "cas2": 2024, "cas4": 2023, "cas6": 2024, "cas8": 2024}


def carried(resource: dict[str, Any]) -> dict[str, Any] | None:
    """Return what an event carries of a resource, None for one that is no R4 (refused)."""
    if resource["resourceType"] == "MedicationAdministration" and "encounter" in resource:
        return None
    if "'text': '" in str(resource.get("medicationCodeableConcept", {}).get("coding", "")):
        return None
    if "encounter" in resource:
        resource |= {"encounter": to_stay()}
    return resource


@pytest.mark.shared
def test_the_five_cases_give_nine_results_ten_measures_fourteen_prescriptions(shared: Path) -> None:
    found: dict[str, list[dict[str, Any]]] = {"BIO": [], "CST": [], "PRE": [], "ADM": []}
    for case in aphp.CASES:
        sent = [one for one in map(carried, aphp.resources(shared, case)) if one is not None]
        period = next(one["period"] for one in sent if one["resourceType"] == "Encounter")
        place = Place("stay", "0000000001", YEARS[case], moment(period["start"]), moment(period["end"]))
        converted = convert(*sent, place=place)
        for table in found:
            found[table] += rows(converted, f"T_EDS{YEARS[case] % 100}{table}")
        assert sum(converted.outside.values()) == (1 if case == "cas1" else 0)

    assert {table: len(some) for table, some in found.items()} == {"BIO": 9, "CST": 10, "PRE": 14, "ADM": 0}
    [leucocytes] = [row for row in found["BIO"] if row["BIO_LOI_COD"] == "6690-2"]
    assert (leucocytes["BIO_VAL_STD"], leucocytes["BIO_UNI_STD"], leucocytes["PLV_SOI_AMD"]) == (7, "10*9/L", "202410")
    assert all(row["BIO_VAL_STD"] is not None for row in found["BIO"])
    assert all(row["CST_VAL_STD"] is not None for row in found["CST"])
    assert all(row["PHA_ATC_CLA"] for row in found["PRE"])
