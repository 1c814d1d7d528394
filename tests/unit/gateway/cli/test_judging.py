"""`validate --judge`: otherwise than the gateway, as strict as HL7's validator when asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import make_app

DOCUMENT = {
    "resourceType": "DocumentReference",
    "status": "current",
    "extension": [{"url": "https://somewhere.test/fhir/StructureDefinition/x", "valueString": "x"}],
    "description": "<b>x</b>",
    "content": [{"attachment": {"url": "http://files.example.org/a"}}],
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "document.json"
    path.write_text(json.dumps(DOCUMENT), encoding="utf-8")
    return path


def run(file: Path, *judgements: str) -> tuple[int, str]:
    asked = [word for one in judgements for word in ("--judge", one)]
    result = CliRunner().invoke(
        make_app(), ["validate", str(file), "--french-profiles", "declared", "--format", "json", *asked]
    )
    return result.exit_code, result.output


def test_nothing_is_refused_that_the_gateway_accepts(file: Path) -> None:
    code, output = run(file)

    assert code == 0
    assert "html-in-string" not in output
    assert "example-url" not in output


@pytest.mark.parametrize(
    ("judgement", "code"),
    [
        ("unknown-extensions=error", "extension-unknown"),
        ("example-urls=error", "example-url"),
        ("html-in-strings=error", "html-in-string"),
    ],
)
def test_each_judgement_refuses_its_own(file: Path, judgement: str, code: str) -> None:
    status, output = run(file, judgement)
    lighter, told = run(file, judgement.replace("error", "warning"))

    assert status == 1
    assert code in output
    assert lighter == 0
    assert code in told


def test_a_judgement_that_there_is_not_is_wrong_usage(file: Path) -> None:
    assert run(file, "html=error")[0] == 2
