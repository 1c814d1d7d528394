"""`validate` in its four forms: one line a file, exit code, places in the file, machine formats that parse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema_rs
import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import make_app
from tests.support.made_profiles import MADE, element, profile, written

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


def test_junit_has_a_test_case_a_file_that_fails_once_with_all_its_errors(
    validate: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "worse <&>.json").write_text('{"resourceType": "Patient", "gender": "x", "active": "<&>"}')
    root = ET.fromstring(validate("right.json", "wrong.json", "worse <&>.json", format="junit").stdout)

    [suite] = root
    cases = suite.findall("testcase")
    assert root.tag == "testsuites"
    assert suite.tag == "testsuite"
    assert [len(case.findall("failure")) for case in cases] == [0, 1, 1]
    for counted in (root, suite):
        assert {name: counted.attrib[name] for name in ("tests", "failures", "errors")} == {
            "tests": "3",
            "failures": "2",
            "errors": "0",
        }
    assert all(case.attrib["classname"] and case.attrib["name"] for case in cases)
    told = cases[2].findtext("failure") or ""
    assert [line.rpartition(" ")[2] for line in told.splitlines()] == ["[code-not-in-value-set]", "[wrong-json-type]"]


# What the SARIF 2.1.0 schema of OASIS asks of the parts that are written here.
SARIF_TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"enum": ["2.1.0"]},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "additionalProperties": False,
                                            "properties": {
                                                "id": {"type": "string"},
                                                "shortDescription": SARIF_TEXT,
                                                "helpUri": {"type": "string", "format": "uri"},
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": SARIF_TEXT,
                                "locations": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "additionalProperties": False,
                                        "properties": {
                                            "physicalLocation": {
                                                "type": "object",
                                                "required": ["artifactLocation"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        "type": "object",
                                                        "required": ["uri"],
                                                        "properties": {
                                                            "uri": {"type": "string", "format": "uri-reference"}
                                                        },
                                                    },
                                                    "region": {
                                                        "type": "object",
                                                        "additionalProperties": False,
                                                        "properties": {
                                                            "startLine": {"type": "integer", "minimum": 1},
                                                            "startColumn": {"type": "integer", "minimum": 1},
                                                        },
                                                    },
                                                },
                                            },
                                            "logicalLocations": {
                                                "type": "array",
                                                "items": {
                                                    "type": "object",
                                                    "properties": {"fullyQualifiedName": {"type": "string"}},
                                                },
                                            },
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


def test_sarif_keeps_the_schema_and_points_into_the_file(validate: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "né à l'hôpital.json").write_text('{"resourceType": "Patient", "gender": "x"}', encoding="utf-8")
    log = json.loads(validate("wrong.json", "né à l'hôpital.json", format="sarif").stdout)

    jsonschema_rs.validator_for(SARIF, validate_formats=True).validate(log)
    first, *others = log["runs"][0]["results"]
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert first["level"] == "error"
    assert first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == (tmp_path / "wrong.json").as_uri()
    assert {one["ruleId"] for one in (first, *others)} == {rule["id"] for rule in rules}
    assert all(rule["helpUri"].endswith("#" + rule["id"]) for rule in rules)


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


def test_a_folder_without_anything_to_judge_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no FHIR")

    done = CliRunner().invoke(make_app(), ["validate", str(tmp_path)])

    assert done.exit_code == 2
    assert "holds no" in done.stderr


@pytest.mark.parametrize("form", ["human", "json"])
def test_rules_of_the_callers_own_profile_that_are_not_checked_are_told(tmp_path: Path, form: str) -> None:
    lines = [element("Basic.nom", min=1), element("Basic.author", min=0)]
    guide = written(tmp_path / "guide", profile("a", "Basic", *lines), profile("b", "Basic", element("Basic.neither")))
    (tmp_path / "right.json").write_text(RIGHT)

    arguments = ["--definitions", str(guide), "--profile", MADE + "a", "--lang", "en", "--format", form]
    done = CliRunner().invoke(make_app(), ["validate", str(tmp_path / "right.json"), *arguments])

    assert done.exit_code == 0
    assert "has rules that are not checked: Basic.nom." in done.stdout
    assert "Basic.neither" not in done.stdout


def test_french_rules_are_left_out_on_request(tmp_path: Path) -> None:
    stay = '{"resourceType": "Encounter", "status": "finished", "class": {"code": "IMP"}}'
    (tmp_path / "stay.json").write_text(stay)
    asked = ["validate", str(tmp_path / "stay.json"), "--french-profiles", "declared", "--format", "json"]

    with_rules = CliRunner().invoke(make_app(), asked)
    without = CliRunner().invoke(make_app(), [*asked, "--no-french-rules"])

    assert "stay-without-end" in with_rules.stdout
    assert "stay-without-end" not in without.stdout


def test_a_package_that_the_callers_own_depends_on_and_that_is_not_loaded_is_named_on_stderr(tmp_path: Path) -> None:
    guide = written(tmp_path / "guide", profile("a", "Basic"))
    (guide / "package.json").write_text('{"name": "g", "version": "1", "dependencies": {"other.guide": "2.0.0"}}')
    (tmp_path / "right.json").write_text(RIGHT)

    done = CliRunner().invoke(make_app(), ["validate", str(tmp_path / "right.json"), "--definitions", str(guide)])

    assert done.exit_code == 0
    assert "guide depends on other.guide#2.0.0, which is not loaded" in done.stderr
