"""Acts on the command line are in the audit trail; the trail is verified and exported; a broken line shows (P22)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.hospitals import Terms, add, install, load_units, rotate_key
from gateway.cli.main import make_app

FINESS = "750712184"
OTHER = "690781810"
Run = Callable[..., Result]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    install(tmp_path / "d", Terms(FINESS))
    add(tmp_path / "d", Terms(OTHER), scopes="write", platform_key=None)
    rotate_key(tmp_path / "d", FINESS, source="main")
    (tmp_path / "units.csv").write_text("unit,finess_geo,type1,type2\nU1,750712192,,\n")
    load_units(tmp_path / "d", FINESS, tmp_path / "units.csv")
    return tmp_path / "d"


@pytest.fixture
def run(data_dir: Path) -> Run:
    return lambda *words: CliRunner().invoke(make_app(), ["audit", *words, "--data-dir", str(data_dir)])


def test_every_act_on_contracts_and_keys_is_in_the_trail_with_who_did_it(run: Run) -> None:
    lines = [json.loads(line) for line in run("export").stdout.splitlines()]
    acts = [one for one in lines if "hospital" in one]

    # two acts of one millisecond have one time, and files of one second stand in any order
    assert sorted((one["action"], one["hospital"]) for one in acts) == [
        ("hospital add", OTHER), ("hospital rotate-key", FINESS), ("hospital units", FINESS), ("init", FINESS),
    ]  # fmt: skip
    assert all(one["user"] and one["at"] for one in acts)


def test_a_whole_trail_verifies(run: Run) -> None:
    done = run("verify")

    assert done.exit_code == 0
    assert "4 files" in done.stdout


def test_an_edited_line_is_named_and_left_out_of_the_export(run: Run, data_dir: Path) -> None:
    file = next(path for path in sorted((data_dir / "audit").glob("*.jsonl")) if OTHER in path.read_text())
    file.write_text(file.read_text().replace(OTHER, FINESS))

    verified = run("verify", "--format", "json")
    exported = run("export")

    assert verified.exit_code == exported.exit_code == 1
    assert json.loads(verified.stdout.splitlines()[0])["file"] == file.stem
    assert "hospital add" not in exported.stdout


def test_an_export_begins_where_it_is_asked_to(run: Run, tmp_path: Path) -> None:
    done = run("export", "--since", "2999-01-01", "--to", str(tmp_path / "audit.ndjson"))

    assert done.exit_code == 0
    assert (tmp_path / "audit.ndjson").read_text() == ""


def test_the_trail_holds_no_key(run: Run, data_dir: Path) -> None:
    secrets = [path.read_text().strip() for path in (data_dir / "credentials").iterdir()]
    secrets += [path.read_text().strip() for path in (data_dir / "keys").iterdir()]
    trail = "".join(path.read_text() for path in (data_dir / "audit").iterdir())

    assert not [secret for secret in secrets if secret in trail]
