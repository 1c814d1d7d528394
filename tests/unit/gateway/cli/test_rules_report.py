"""`rules report`: a line for every element of every type that the rules cover, with its reason, in two languages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from fhir_profiles.errors import Misconfigured
from gateway.cli.main import make_app
from transformers.deidentify.rules import load_rules


def report(*words: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(make_app(), ["rules", "report", "--format", "json", *words])
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_element_has_a_line() -> None:
    rules = load_rules()
    told = {line["path"] for line in report()}
    expected = {
        f"{name}.{path}"
        for name, paths in rules.elements.types.items()
        if name in rules.book.types
        for path in paths
        if not rules.elements.is_backbone(name, path)
    }

    assert len(expected) > 500
    assert expected <= told


def test_what_identifies_a_patient_is_said_to_stay() -> None:
    lines = {line["path"]: line for line in report("--type", "Patient", "--lang", "en")}

    assert {lines[f"Patient.{name}"]["outcome"] for name in ("name", "telecom", "photo", "contact")} == {"dropped"}
    assert lines["Patient.birthDate"] == {
        "path": "Patient.birthDate", "outcome": "transformed", "action": "month", "text": "cut to year and month",
    }  # fmt: skip
    assert lines["Patient.gender"]["outcome"] == "kept"


def test_every_line_says_why_in_both_languages() -> None:
    french, english = report(), report("--lang", "en")

    assert all(line["text"] for line in (*french, *english))
    assert [line["path"] for line in french] == [line["path"] for line in english]
    assert {line["text"] for line in french}.isdisjoint(line["text"] for line in english)


def test_a_type_without_rules_is_said() -> None:
    done = CliRunner().invoke(make_app(), ["rules", "report", "--type", "Person"])

    assert isinstance(done.exception, Misconfigured)


@pytest.mark.parametrize("words", [[], ["--type", "Patient"]])
def test_people_see_a_group_that_stays_out_as_one_line(words: list[str]) -> None:
    done = CliRunner().invoke(make_app(), ["rules", "report", *words])

    assert "Patient.contact" in done.stdout
    assert "Patient.contact.name" not in done.stdout
    assert "each with a rule" in done.stdout
