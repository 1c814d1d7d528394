"""`quarantine find` and `quality reconcile`: what a hospital asks about its own stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import make_app
from tests.support.applied import apply
from tests.support.small_lake import publish, stay, stays

FINESS = "750712184"
PATIENT = {
    "resourceType": "Patient", "id": "pat-1", "gender": "female", "birthDate": "1960-02-03",
    "identifier": [{"system": "urn:hospital:ipp", "value": "IPP-007",
                    "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PI"}]}}],
}  # fmt: skip
VISIT = {
    "resourceType": "Encounter", "id": "enc-1", "status": "finished", "subject": {"reference": "Patient/pat-1"},
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
    "period": {"start": "2024-03-01T09:00:00+01:00", "end": "2024-03-05T11:00:00+01:00"},
}  # fmt: skip


def run(*arguments: object) -> Result:
    return CliRunner().invoke(make_app(), [str(one) for one in arguments])


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that holds a finished stay without a principal diagnosis."""
    home = tmp_path_factory.mktemp("data")
    assert run("init", "--data-dir", home, "--finess", FINESS).exit_code == 0
    apply(home, FINESS, PATIENT, VISIT)
    return home


def found(data_dir: Path, tmp_path: Path, option: str, resource: dict[str, Any]) -> list[dict[str, Any]]:
    file = tmp_path / "resource.json"
    file.write_bytes(orjson.dumps(resource))
    done = run("quarantine", "find", "--data-dir", data_dir, "--finess", FINESS, option, file, "--format", "json")
    for secret in ("IPP-007", "pat-1", "enc-1", "1960-02"):  # the year alone may be the number of an event
        assert secret not in done.output
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.parametrize(
    ("option", "resource"),
    [("--patient", PATIENT), ("--patient", PATIENT | {"id": "another-id"}), ("--visit", VISIT)],
)
def test_the_stay_in_quarantine_is_found_with_its_repair(
    data_dir: Path, tmp_path: Path, option: str, resource: dict[str, Any]
) -> None:
    [one] = found(data_dir, tmp_path, option, resource)

    assert (one["status"], one["reason"]) == ("quarantined", "principal-diagnosis-missing")
    assert "Condition" in one["repair"]
    assert set(one) == {"status", "exit_year", "reason", "repair", "event", "entry"}


def test_another_visit_or_person_is_not_found(data_dir: Path, tmp_path: Path) -> None:
    stranger = PATIENT | {"id": "pat-2", "identifier": []}

    assert found(data_dir, tmp_path, "--visit", VISIT | {"id": "enc-2"}) == []
    assert found(data_dir, tmp_path, "--patient", stranger) == []


def test_one_of_patient_and_visit_is_needed(data_dir: Path) -> None:
    assert run("quarantine", "find", "--data-dir", data_dir, "--finess", FINESS).exit_code == 2


def test_monthly_counts_are_compared_and_small_ones_masked(tmp_path: Path) -> None:
    publish(tmp_path, stays(*(stay(n, SOR_MOD="9" if n < 3 else "8") for n in range(20))))
    file = tmp_path / "return.csv"
    file.write_text("month;stays;deaths;other\n2024-03;20;4;x\n2024-04;0;;\n")

    done = run("quality", "reconcile", "--data-dir", tmp_path, "--finess", FINESS, file, "--format", "json")

    assert done.exit_code == 1
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"month": "2024-03", "measure": "stays", "tables": 20, "returned": 20, "equal": True},
        {"month": "2024-03", "measure": "deaths", "tables": None, "returned": None, "equal": False},
        {"month": "2024-04", "measure": "stays", "tables": 0, "returned": 0, "equal": True},
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_french_headers_and_months_left_out_are_compared(encoding: str, tmp_path: Path) -> None:
    publish(tmp_path, stays(*(stay(n) for n in range(20))))
    file = tmp_path / "retour.csv"
    file.write_text("Mois;Séjours;GHS\n2024-02;0;1\n2024-04;0;1\n", encoding=encoding)

    told = run("quality", "reconcile", "--data-dir", tmp_path, "--finess", FINESS, file, "--format", "json")
    shown = run("quality", "reconcile", "--data-dir", tmp_path, "--finess", FINESS, file)

    assert (told.exit_code, shown.exit_code) == (1, 1)
    assert {"month": "2024-03", "measure": "stays", "tables": 20, "returned": 0, "equal": False} in [
        json.loads(line) for line in told.stdout.splitlines()
    ]
    assert "1 des 3 comptes diffèrent" in shown.stdout
    assert "colonnes non comparées : GHS" in shown.stderr


def test_a_hospital_without_a_contract_is_not_compared(tmp_path: Path) -> None:
    assert run("init", "--data-dir", tmp_path, "--finess", FINESS).exit_code == 0
    publish(tmp_path, stays(stay(1)))
    file = tmp_path / "return.csv"
    file.write_text("month;stays\n2024-03;0\n")

    done = run("quality", "reconcile", "--data-dir", tmp_path, "--finess", "690781810", file)

    assert "contract-missing" in str(done.exception)


@pytest.mark.parametrize(("option", "kind"), [("--patient", "Encounter"), ("--visit", "Patient")])
def test_the_resource_that_the_option_asks_for_is_needed(
    data_dir: Path, tmp_path: Path, option: str, kind: str
) -> None:
    file = tmp_path / "other.json"
    file.write_text(json.dumps({"resourceType": kind, "id": "x"}))

    done = run("quarantine", "find", "--data-dir", data_dir, "--finess", FINESS, option, file)

    assert getattr(done.exception, "code", "") == "resource-missing"
    assert "takes a FHIR" in getattr(done.exception, "detail", "")


@pytest.mark.parametrize("text", ["", "stays\n3\n", "month;stays\n2024;3\n", "month;stays\n2024-03;three\n"])
def test_a_wrong_return_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    publish(tmp_path, stays(stay(1)))
    file = tmp_path / "return.csv"
    file.write_text(text)

    done = run("quality", "reconcile", "--data-dir", tmp_path, "--finess", FINESS, file)

    assert "return-" in str(done.exception)
