"""Code lists of a folder: which codes exist, under every alias of their system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fhir_profiles.compiler import load_profiles
from fhir_profiles.errors import Misconfigured
from fhir_profiles.nomenclatures import load_nomenclatures
from fhir_profiles.validator import Validator

Json = dict[str, Any]
ATIH = "https://aphp.github.io/IG-FHIR-EDSH-SOCLE-COMMUN/CodeSystem/"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "MS_CIM_V.csv").write_text("CIM_COD;CIM_LIC\nI219;x\nE780;y\n", encoding="utf-8")
    (tmp_path / "IR_CCAM_V63.csv").write_text('"CAM_PRS_IDE_COD";"LIB"\n"DDAF007";"x"\n', encoding="utf-8")
    (tmp_path / "ucd.csv").write_text("code;label\n0000009231824;x\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        ("http://hl7.org/fhir/sid/icd-10", "I21.9", True),
        (f"{ATIH}edsh-cim10-cs", "I219", True),
        ("https://smt.esante.gouv.fr/terminologie-cim-10", "I219X", False),
        ("http://hl7.org/fhir/sid/ccam", "DDAF007", True),
        (f"{ATIH}edsh-ccam-cs", "DDAF007···01·", True),
        ("http://hl7.org/fhir/sid/ccam", "DDAF999", False),
        ("https://smt.esante.gouv.fr/terminologie-ucd", "9231824", True),
        ("https://smt.esante.gouv.fr/terminologie-nabm", "0215", None),
        ("http://loinc.org", "1", None),
    ],
)
def test_a_code_is_looked_up_under_every_alias_of_its_system(
    folder: Path, system: str, code: str, *, expected: bool | None
) -> None:
    assert load_nomenclatures(folder).knows(system, code) is expected


def test_a_code_that_does_not_exist_is_a_warning_at_its_place(folder: Path) -> None:
    validator = Validator(load_profiles(packages=("r4",)), load_nomenclatures(folder))
    codings = [{"system": "http://hl7.org/fhir/sid/icd-10", "code": code} for code in ("I219", "I99")]
    value: Json = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    value["valueCodeableConcept"] = {"coding": codings}

    found = validator.validate_resource(value, french_profiles="declared")

    assert [(one.severity, one.code, one.expression, one.quote) for one in found] == [
        ("warning", "code-not-in-nomenclature", "Observation.value.ofType(CodeableConcept).coding[1].code", "I99")
    ]


def test_a_folder_without_a_list_and_a_list_without_its_column_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="nomenclatures-empty"):
        load_nomenclatures(tmp_path)
    (tmp_path / "cim10.csv").write_text("a;b\n1;2\n", encoding="utf-8")
    with pytest.raises(Misconfigured, match=r"nomenclature-column: cim10\.csv"):
        load_nomenclatures(tmp_path)


@pytest.mark.shared
def test_the_published_lists_are_read(shared: Path) -> None:
    loaded = load_nomenclatures(shared / "snds" / "nomenclatures")

    assert {name: len(codes) > 1000 for name, codes in loaded.codes.items()} == dict.fromkeys(
        ("cim10", "ccam", "nabm", "ucd", "cip"), True
    )
    assert loaded.knows("http://hl7.org/fhir/sid/icd-10-fr", "S72.1") is True
