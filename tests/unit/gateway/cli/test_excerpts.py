"""The line of an issue is shown with a caret, and nothing in it that could identify somebody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateway.cli.excerpts import MASK, Excerpts, masked
from gateway.cli.main import make_app

TOKEN = "zqcanaryzq"
PATIENT = {
    "resourceType": "Patient", "id": TOKEN, "gender": "homme", "birthDate": "1980-02-03",
    "name": [{"family": TOKEN.upper(), "given": [TOKEN]}], "identifier": [{"system": "urn:oid:1.2", "value": TOKEN}],
}  # fmt: skip


def test_the_caret_stands_under_the_column(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{\n  "resourceType": "Patient",\n  "gender": "homme"\n}')

    shown = Excerpts(file).at(3, 13)

    assert shown == (f'"gender": "{MASK * 5}"', 10)


def test_in_one_long_line_only_the_neighbourhood_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"note": ["x" * 5000], "status": "finished", "after": "y" * 5000}))
    column = file.read_text().index('"status"') + 1

    found = Excerpts(file).at(1, column)

    assert found is not None
    text, caret = found
    assert len(text) <= 90
    assert text[caret:].startswith('"status": "finished"')


def test_codes_and_systems_are_shown_and_everything_else_is_masked() -> None:
    line = '{"system": "http://loinc.org", "code": "718-7", "display": "Hb", "value": "IPP1", "start": "2024-01-01"}'

    shown = masked(line)

    assert len(shown) == len(line)
    assert '"http://loinc.org"' in shown
    assert '"718-7"' in shown
    assert not [one for one in ("Hb", "IPP1", "2024-01-01") if one in shown]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1))
def test_no_string_of_an_unknown_element_is_ever_shown(value: str) -> None:
    line = json.dumps({"family": f"{TOKEN}{value}"}, ensure_ascii=False)

    assert TOKEN not in masked(line)
    assert TOKEN not in masked(line[:-3])


@pytest.mark.parametrize("indent", [None, 2])
def test_the_command_shows_a_caret_and_no_identity(tmp_path: Path, indent: int | None) -> None:
    (tmp_path / "p.json").write_text(json.dumps(PATIENT, indent=indent))

    done = CliRunner().invoke(make_app(), ["validate", str(tmp_path / "p.json"), "--french-profiles", "declared"])

    assert done.exit_code == 1
    assert "^" in done.stdout
    assert TOKEN not in done.stdout.lower()
    assert "1980-02-03" not in done.stdout
