"""`validate` in its four forms: one line a file, exit code, places in the file, machine formats that parse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import make_app

DUPLICATE = '{"resourceType": "Patient",\n "gender": "male",\n "gender": "female"}'
MISSING = "entry-resource-missing"
RIGHT = '{"resourceType": "Basic", "id": "b1", "code": {"text": "x"}}'


@pytest.fixture
def validate(tmp_path: Path) -> Callable[..., Result]:
    """Runs `validate` on a right and a wrong file."""
    (tmp_path / "right.json").write_text(RIGHT)
    (tmp_path / "wrong.json").write_text(DUPLICATE)
    (tmp_path / "lines.ndjson").write_text(f"{RIGHT}\n{RIGHT}\n")

    def run(*names: str, **options: str) -> Result:
        flat = [part for name, value in options.items() for part in (f"--{name}", value)]
        return CliRunner().invoke(make_app(), ["validate", *(str(tmp_path / name) for name in names), *flat])

    return run


def test_a_right_file_ends_with_0_and_a_wrong_one_with_1(validate: Callable[..., Result]) -> None:
    assert validate("right.json").exit_code == 0
    assert validate("right.json", "wrong.json").exit_code == 1


def test_json_is_one_line_a_file(validate: Callable[..., Result]) -> None:
    done = validate("right.json", "wrong.json", "lines.ndjson", format="json")

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(line["file"]).name for line in lines] == ["right.json", "wrong.json", "lines.ndjson"]
    assert {line["outcome"]["resourceType"] for line in lines} == {"OperationOutcome"}
    assert lines[1]["outcome"]["issue"][0]["severity"] in ("error", "fatal")
    assert lines[0]["outcome"]["issue"][0]["details"]["coding"][0]["code"] == "ok"


def test_messages_come_in_the_language_asked_for(validate: Callable[..., Result]) -> None:
    french, english = (
        json.loads(validate("wrong.json", format="json", lang=language).stdout)["outcome"]["issue"][0]["details"][
            "text"
        ]
        for language in ("fr", "en")
    )

    assert french != english


def test_junit_has_a_test_case_a_file_and_a_failure_an_error(validate: Callable[..., Result]) -> None:
    root = ET.fromstring(validate("right.json", "wrong.json", format="junit").stdout)

    cases = root.findall(".//testcase")
    assert [len(case.findall("failure")) for case in cases] == [0, 1]
    assert root.attrib["failures"] == "1"


def test_sarif_points_into_the_file(validate: Callable[..., Result]) -> None:
    log = json.loads(validate("wrong.json", format="sarif").stdout)

    [result] = log["runs"][0]["results"]
    assert log["version"] == "2.1.0"
    assert result["level"] == "error"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].endswith("wrong.json")
    assert result["ruleId"] in {rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]}


def test_human_output_names_file_and_repair(validate: Callable[..., Result]) -> None:
    done = validate("right.json", "wrong.json")

    assert "✓" in done.stdout
    assert "✗" in done.stdout
    assert "2 files, 1 with errors" in done.stdout


def test_a_folder_of_synthetic_bundles_is_read_without_its_manifest(tmp_path: Path) -> None:
    CliRunner().invoke(make_app(), ["generate", "--stays", "2", "--to", str(tmp_path / "bundles")])

    done = CliRunner().invoke(make_app(), ["validate", str(tmp_path / "bundles"), "--format", "json"])

    assert len(done.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("content", "places"),
    [
        (DUPLICATE, [(3, "json-duplicate-key")]),
        (f"{RIGHT}\n\n{DUPLICATE.replace(chr(10), '')}\n", [(3, "json-duplicate-key")]),
        (
            '{"resourceType": "Bundle", "type": "collection", "entry": [\n{"resource": 1},\n{"resource": 2}]}',
            [(2, MISSING), (3, MISSING)],
        ),
    ],
    ids=["a document", "lines", "a document of several lines"],
)
def test_what_is_piped_in_is_judged_with_its_lines(content: str, places: list[tuple[int, str]]) -> None:
    done = CliRunner().invoke(make_app(), ["validate", "-", "--format", "sarif"], input=content)

    results = json.loads(done.stdout)["runs"][0]["results"]
    errors = [one for one in results if one["level"] == "error"]
    found = [(one["locations"][0]["physicalLocation"]["region"]["startLine"], one["ruleId"]) for one in errors]
    assert done.exit_code == 1
    assert found == places


def test_the_excerpt_of_what_is_piped_in_is_shown_and_masked() -> None:
    content = '{"resourceType": "Patient",\n "birthDate": "1950-13-01"}'

    done = CliRunner().invoke(make_app(), ["validate", "-"], input=content)

    assert '"birthDate": "••••••••••"' in done.stdout
    assert "1950" not in done.stdout


def test_a_right_document_piped_in_ends_with_0() -> None:
    assert CliRunner().invoke(make_app(), ["validate", "-"], input=RIGHT).exit_code == 0


def test_a_path_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    assert CliRunner().invoke(make_app(), ["validate", str(tmp_path / "nothing.json")]).exit_code == 2
