"""The joins and filters that sndsTools sends for drugs (`extract_drugs_erphaf`, `…_erucdf`) find the dispenses."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from streaming.reference_store import load
from tests.support.clinical_resources import Pseudonyms, concept, quantity, resource
from tests.support.small_lake import publish, reading, stay, stays
from transformers.contract import Contract
from transformers.snds.dispensing import dispensing_rows
from transformers.snds.placing import NO_STAY
from transformers.snds.schema import TABLES
from transformers.snds.view import PersonView, Staged

FINESS = "750712184"
KEYS = ", ".join(TABLES["ER_PRS_F"].primary_key)
PHAF = f"""
SELECT DISTINCT BEN_NIR_PSA, EXE_SOI_DTD, PHA_ACT_QSN, PHA_ATC_CLA, PHA_PRS_C13
FROM ER_PRS_F INNER JOIN ER_PHA_F USING ({KEYS})
    INNER JOIN (SELECT PHA_CIP_C13, PHA_ATC_CLA FROM IR_PHA_R WHERE (PHA_ATC_CLA LIKE 'B01%')) AS drug
        ON PHA_PRS_C13 = drug.PHA_CIP_C13
    LEFT JOIN ER_ETE_F USING ({KEYS})
WHERE EXE_SOI_DTD >= DATE '2024-03-01' AND EXE_SOI_DTD <= DATE '2024-03-31'
    AND FLX_DIS_DTD >= DATE '2024-04-01' AND FLX_DIS_DTD < DATE '2024-05-01'
    AND DPN_QLF != 71 AND ((ETE_IND_TAA != 1) OR (ETE_IND_TAA IS NULL))
"""
UCDF = f"""
SELECT DISTINCT BEN_NIR_PSA, EXE_SOI_DTD, EXE_SOI_DTF, CAST(PRS_NAT_REF AS TEXT), UCD_TOP_UCD, UCD_UCD_COD, UCD_DLV_NBR
FROM ER_PRS_F INNER JOIN ER_UCD_F USING ({KEYS}) INNER JOIN ER_ETE_F USING ({KEYS})
WHERE FLX_DIS_DTD >= DATE '2024-04-01' AND FLX_DIS_DTD < DATE '2024-05-01'
    AND EXE_SOI_DTD >= DATE '2024-01-01' AND EXE_SOI_DTD <= DATE '2024-12-31'
    AND NOT (DPN_QLF IN (71, 72)) AND CPL_MAJ_TOP < 2 AND BEN_CDI_NIR IN ('00', '03', '04')
    AND ((ETE_IND_TAA != 1) OR ETE_IND_TAA IS NULL)
"""


def dispense(system: str, code: str, day: str, number: int) -> dict[str, Any]:
    return resource(
        "MedicationDispense", status="completed", whenHandedOver=day, quantity=quantity(number, "1"),
        medicationCodeableConcept=concept((system, code)),
    )  # fmt: skip


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Two boxes of March (one of another class), one of April, and a retrocession."""
    cip, ucd = "urn:oid:1.2.250.1.213.2.3.2", "http://data.esante.gouv.fr/ansm/medicament/UCD"
    sent = [
        dispense(cip, "3400930000120", "2024-03-15", 2),
        dispense(cip, "3400930000137", "2024-03-16", 1),
        dispense(cip, "3400930000120", "2024-04-02", 1),
        dispense(ucd, "3400892345673", "2024-03-20", 30),
    ]
    staged = tuple(Staged(f"key-{n}", "MedicationDispense", one) for n, one in enumerate(sent))
    person = {"BEN_NIR_PSA": "P" * 17, "BEN_RNG_GEM": 1, "BEN_CDI_NIR": "00", "BEN_NAI_ANN": "1960", "BEN_SEX_COD": 2}
    names = TABLES["IR_BEN_R"].names
    defaults = TABLES["IR_BEN_R"].defaults
    rows = dispensing_rows(
        PersonView(FINESS, frozenset(), staged), tuple(person.get(name, defaults[name]) for name in names),
        placing=lambda _: NO_STAY, contract=Contract(finess=FINESS), pseudonyms=Numbered(), birth=(1960, 2),
    ).tables  # fmt: skip
    source = tmp_path / "ir_pha_r.csv"
    source.write_text("PHA_CIP_C13;PHA_ATC_CLA\n3400930000120;B01AC06\n3400930000137;A10BA02\n")
    load(tmp_path, "ir-pha-r", source)
    named = {table: [dict(zip(TABLES[table].names, one, strict=True)) for one in some] for table, some in rows.items()}
    return publish(tmp_path, named | {"IR_BEN_R": [person]} | stays(stay(1)))


class Numbered(Pseudonyms):
    """Numbers that differ by dispense."""

    def rsa_num(self, stay_key: str) -> str:
        return f"{sum(stay_key.encode()):010d}"


def test_boxes_of_a_class_are_found_by_month_of_flow(data_dir: Path) -> None:
    with reading(data_dir) as lake:
        assert lake.execute(PHAF).fetchall() == [("P" * 17, date(2024, 3, 15), 2, "B01AC06", 3400930000120)]


def test_a_retrocession_is_found_with_its_hospital(data_dir: Path) -> None:
    day = date(2024, 3, 20)
    with reading(data_dir) as lake:
        assert lake.execute(UCDF).fetchall() == [("P" * 17, day, day, "3318", 0, "3400892345673", 30)]
