"""`deidentify` and `convert`: the whole line on one file, under random keys, with nothing kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from fhir_profiles.validator import load_validator
from gateway.cli.main import make_app
from gateway.preview import Bench, look, rows_of
from gateway.synthetic.scene import Hospital
from gateway.synthetic.writing import write_stays
from transformers.contract import Contract
from transformers.deidentify.rules import load_rules
from transformers.snds.schema import TABLES

FINESS = "750712184"
LOCAL = re.compile(r"demo-[A-Za-z0-9_-]{17}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bundles")
    write_stays(made, seed=3, stays=20, hospital=Hospital(FINESS), wrote=lambda _: None)
    return made


@pytest.fixture
def posted(folder: Path) -> Path:
    """A synthetic stay with a birth, identifiers, free text, clinical rows."""
    return next(iter(sorted(folder.glob("*-day-surgery.json"))))


def run(*words: object) -> Result:
    return CliRunner().invoke(make_app(), [str(word) for word in words])


def identities(file: Path) -> Iterator[str]:
    """Yield names, identifier values, birth date and local ids of every person in a bundle."""
    for entry in json.loads(file.read_text())["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] in ("Patient", "Practitioner", "Encounter"):
            yield resource["id"]
            yield from (one["value"] for one in resource.get("identifier", ()))
        if resource["resourceType"] in ("Patient", "Practitioner"):
            for name in resource["name"]:
                yield from (name["family"], *name["given"])
        if "birthDate" in resource:
            yield resource["birthDate"]


def test_what_would_leave_holds_no_identity_and_only_marked_pseudonyms(posted: Path) -> None:
    done = run("deidentify", posted)
    bundles = [json.loads(line) for line in done.stdout.splitlines()]
    aliases = [
        one["value"]
        for bundle in bundles
        for entry in bundle["entry"]
        for one in entry["resource"].get("identifier", ())
        if one["system"].startswith("urn:snds-gateway:") and not one["system"].endswith(":unit")
    ]

    assert done.exit_code == 0, done.output
    assert {bundle["resourceType"] for bundle in bundles} == {"Bundle"}
    assert not [one for one in identities(posted) if len(one) > 3 and one in done.output]
    assert aliases
    assert all(one.startswith("demo-") for one in aliases)


def test_two_dry_runs_have_no_pseudonym_in_common(posted: Path) -> None:
    first, second = (set(LOCAL.findall(run("deidentify", posted).stdout)) for _ in range(2))

    assert first
    assert second
    assert not first & second


def test_explain_says_the_rule_of_each_path(posted: Path) -> None:
    lines = [json.loads(line) for line in run("deidentify", posted, "--explain").stdout.splitlines()]
    explained = [line for line in lines if "action" in line]

    assert {"entry", "path", "action", "rule"} == set(explained[0])
    assert any(line["path"].endswith("birthDate") for line in explained)


def test_a_file_becomes_the_rows_of_the_official_tables(posted: Path) -> None:
    done = run("convert", posted, "--format", "json")
    shown = json.loads(done.stdout)
    year = str(shown["stays"][0]["exit_year"])[2:]

    assert done.exit_code == 0, done.output
    assert {f"T_MCO{year}{table}" for table in "BCE"} | {f"T_MCO{year}UM", "IR_BEN_R"} <= set(shown["tables"])
    [row] = shown["tables"][f"T_MCO{year}B"]
    assert list(row) == list(TABLES["T_MCOaaB"].names)
    assert shown["tables"][f"T_MCO{year}C"][0]["NIR_ANO_17"].startswith("DEMO")
    assert not [one for one in identities(posted) if len(one) > 3 and one in done.stdout]


def test_rows_are_shown_to_people_with_the_official_labels(posted: Path) -> None:
    done = run("convert", posted)

    assert done.exit_code == 0, done.output
    assert "DGN_PAL" in done.stdout
    assert "columns are empty or at their default" in done.stdout


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_files_have_the_official_columns(posted: Path, tmp_path: Path, form: str) -> None:
    done = run("convert", posted, "--format", form, "--to", tmp_path / "rows")
    [file] = (tmp_path / "rows").glob(f"T_MCO??B.{form}")

    assert done.exit_code == 0, done.output
    names = file.read_text().splitlines()[0].split(",") if form == "csv" else pq.read_table(file).column_names
    assert names == list(TABLES["T_MCOaaB"].names)


def test_a_refused_file_ends_with_1_and_says_why_in_french(folder: Path) -> None:
    wrong = next(iter(sorted(folder.glob("*-wrong-*.json"))))

    for command in ("deidentify", "convert"):
        done = run(command, wrong)
        assert done.exit_code == 1
        assert "Bundle.entry[" in done.stderr


def test_the_later_line_of_an_ndjson_is_the_later_version(posted: Path, tmp_path: Path) -> None:
    bundle = json.loads(posted.read_text())
    other = json.loads(posted.read_text())
    for one in other["entry"]:
        one["resource"]["meta"].pop("lastUpdated", None)
        if one["resource"]["resourceType"] == "Patient":
            one["resource"]["gender"] = "female" if one["resource"]["gender"] == "male" else "male"
    for one in bundle["entry"]:
        one["resource"]["meta"].pop("lastUpdated", None)
    file = tmp_path / "two.ndjson"
    file.write_text(f"{json.dumps(bundle)}\n{json.dumps(other)}\n")

    sexes = [sex_of(run("convert", one, "--format", "json")) for one in (posted, file)]

    assert sorted(sexes) == [1, 2]


def sex_of(done: Result) -> int:
    tables: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)["tables"]
    [row] = tables["IR_BEN_R"]
    return int(row["BEN_SEX_COD"])


def test_nothing_is_written_by_a_dry_run(posted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    run("deidentify", posted, "--explain")
    run("convert", posted)

    assert list(tmp_path.rglob("*")) == []


def test_printing_a_look_or_its_rows_shows_nothing_of_what_was_looked_at(posted: Path) -> None:
    bench = Bench(Contract(FINESS, french_profiles="declared", test=True), load_validator(), load_rules())
    seen = look(posted.read_bytes(), bench, explain=True)
    rows = rows_of([seen], bench)

    assert rows.tables
    for printed in (repr(seen), repr(rows), repr(bench)):
        assert len(printed) < 200
