"""`explain` on an installation as `init` makes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import make_app
from tests.support.applied import apply

FINESS = "750712184"
SUBJECT, STAY = {"reference": "Patient/pat-1"}, {"reference": "Encounter/enc-1"}
RESOURCES: list[dict[str, Any]] = [
    {"resourceType": "Patient", "id": "pat-1", "gender": "female", "birthDate": "1960-02-03",
     "name": [{"family": "DUPONTEL"}]},
    {"resourceType": "Encounter", "id": "enc-1", "status": "finished", "subject": SUBJECT,
     "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
     "period": {"start": "2024-03-01T09:00:00+01:00", "end": "2024-03-05T11:00:00+01:00"},
     "diagnosis": [{"condition": {"reference": "Condition/dp"}, "rank": 1,
                    "use": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/diagnosis-role",
                                        "code": "billing"}]}}]},
    {"resourceType": "Condition", "id": "dp", "subject": SUBJECT, "encounter": STAY,
     "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I21.9"}]}},
    {"resourceType": "Observation", "id": "k", "status": "final", "subject": SUBJECT, "encounter": STAY,
     "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category",
                               "code": "laboratory"}]}],
     "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
     "effectiveDateTime": "2024-03-01T10:00:00+01:00",
     "valueQuantity": {"value": 4.1, "system": "http://unitsofmeasure.org", "code": "mmol/L"}},
]  # fmt: skip


def run(*arguments: object) -> Result:
    return CliRunner().invoke(make_app(), [str(one) for one in arguments])


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("data")
    assert run("init", "--data-dir", home, "--finess", FINESS).exit_code == 0
    apply(home, FINESS, *RESOURCES)
    return home


def column(data_dir: Path, query: str) -> str:
    done = run("sql", query, "--data-dir", data_dir, "--format", "csv")
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()[1]


@pytest.mark.parametrize(
    ("table", "key", "expected"),
    [
        ("T_MCO24B", "RSA_NUM", ("DGN_PAL", "I219", "Condition")),
        ("T_EDS24BIO", "BIO_RES_NUM", ("BIO_VAL_NUM", 4.1, "Observation")),
    ],
)
def test_a_row_is_explained_as_json(data_dir: Path, table: str, key: str, expected: tuple[str, object, str]) -> None:
    number = column(data_dir, f"SELECT {key} FROM {table}")
    name, value, kind = expected

    done = run("explain", table, "--data-dir", data_dir, "--format", "json", "--", number)

    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    [found] = [one for one in told["columns"] if one["name"] == name]
    types = {one["number"]: one["type"] for one in told["resources"]}
    assert found["value"] == value
    assert kind in {types[one] for one in (*found["given_by"], *found["named"])}
    assert {one["offset"] for one in told["resources"]} == {1}
    assert told["versions"]["product"]
    assert "DUPONTEL" not in done.stdout


def test_a_row_is_explained_for_people(data_dir: Path) -> None:
    number = column(data_dir, "SELECT RSA_NUM FROM T_MCO24B")

    shown = run("explain", "T_MCO24B", number, "--data-dir", data_dir)
    everything = run("explain", "T_MCO24B", number, "--data-dir", data_dir, "--all")

    assert "DGN_PAL" in shown.stdout
    assert "POI_NAI" not in shown.stdout
    assert "POI_NAI" in everything.stdout


@pytest.mark.parametrize(
    ("table", "code", "french", "english"),
    [
        ("T_MCO24B", "row-unknown", "aucune ligne", "no row"),
        ("T_MCO", "table-unknown", "aucune table", "no table"),
        ("T_MCO24E", "table-not-of-a-person", "personnes", "no rows of persons"),
    ],
)
def test_what_cannot_be_explained_is_said_in_words(
    data_dir: Path, table: str, code: str, french: str, english: str
) -> None:
    for language, words in (("fr", french), ("en", english)):
        failure = run("explain", table, "1", "--data-dir", data_dir, "--lang", language).exception
        assert getattr(failure, "code", "") == code
        assert words in getattr(failure, "detail", "")


@pytest.mark.parametrize("key", ["-ROl7YFkynBTjO1-OA69_A", "--Ol7YFkynBTjO1-OA69_A"])
def test_a_number_that_begins_with_a_dash_is_a_key(data_dir: Path, key: str) -> None:
    failure = run("explain", "T_EDS24BIO", key, "--data-dir", data_dir).exception

    assert getattr(failure, "code", "") == "row-unknown"


def test_a_row_is_explained_in_french_unless_english_is_asked_for(data_dir: Path) -> None:
    number = column(data_dir, "SELECT RSA_NUM FROM T_MCO24B")

    french = run("explain", "t_mco24b", number, "--data-dir", data_dir)
    english = run("explain", "T_MCO24B", number, "--data-dir", data_dir, "--lang", "en")

    assert "nuits calendaires" in french.stdout.replace("\n", " ") or "nuits" in french.stdout
    assert "indispensable" in french.stdout
    assert "row needs it" in english.stdout


def test_who_asked_is_in_the_audit_trail_without_the_row(data_dir: Path) -> None:
    number = column(data_dir, "SELECT RSA_NUM FROM T_MCO24B")

    run("explain", "T_MCO24B", number, "--data-dir", data_dir)

    trail = "".join(path.read_text(encoding="utf-8") for path in (data_dir / "audit").rglob("*") if path.is_file())
    assert '"explain"' in trail
    assert number not in trail
