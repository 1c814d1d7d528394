"""`deadletter`: what could not be applied is listed, shown de-identified, and applied once the fault is mended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fhir_profiles.errors import Misconfigured, Unavailable
from gateway.cli.hospitals import Terms, add, install
from gateway.cli.main import make_app
from streaming.accounts import status
from tests.support.made_events import FINESS, encounter, event, log_of, patient, raw_event, written

STRANGER = "920000684"
Run = Callable[..., Result]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An installation whose writer met a good event, one that is no JSON, and one of a hospital without contract."""
    install(tmp_path / "d", Terms(FINESS))
    good = event(patient(), encounter())
    stranger = event(patient("p2", "r2"), encounter("e2", "v2", person="r2"), finess=STRANGER)
    written(tmp_path / "d", log_of([good, raw_event(b"{"), stranger])).close()
    return tmp_path / "d"


@pytest.fixture
def run(data_dir: Path) -> Run:
    return lambda *words: CliRunner().invoke(make_app(), ["deadletter", *words, "--data-dir", str(data_dir)])


def test_dead_letters_are_listed_with_their_codes(run: Run) -> None:
    lines = [json.loads(line) for line in run("list", "--format", "json").stdout.splitlines()]

    assert [(one["offset"], one["code"]) for one in lines] == [(2, "event-json"), (3, "hospital-unknown")]
    assert "hospital-unknown" in run("list").stdout
    assert len(run("list", "--code", "event-json", "--format", "json").stdout.splitlines()) == 1


def test_one_is_shown_with_its_event(run: Run) -> None:
    shown = json.loads(run("show", "3").stdout)

    assert shown["value"]["resourceType"] == "Bundle"
    assert shown["headers"]["ce_source"].startswith(f"/hospital/{STRANGER}/")
    assert json.loads(run("show", "2").stdout)["value"] is None
    assert isinstance(run("show", "1").exception, Misconfigured)


def test_a_replay_after_the_mend_applies_what_can_be_applied(run: Run, data_dir: Path) -> None:
    add(data_dir, Terms(STRANGER), scopes="write", platform_key=None)

    done = run("replay", "--all")

    assert done.exit_code == 1
    assert "1 applied, 1 still cannot be" in done.stdout
    assert status(data_dir).dead_letters == 1
    assert [json.loads(line)["offset"] for line in run("list", "--format", "json").stdout.splitlines()] == [2]


def test_a_replay_of_a_code_leaves_the_others(run: Run, data_dir: Path) -> None:
    add(data_dir, Terms(STRANGER), scopes="write", platform_key=None)

    assert run("replay", "--code", "hospital-unknown").exit_code == 0
    assert status(data_dir).dead_letters == 1


def test_nothing_is_replayed_unless_something_is_chosen(run: Run) -> None:
    assert isinstance(run("replay").exception, Misconfigured)


def test_an_installation_without_a_state_says_so(tmp_path: Path) -> None:
    install(tmp_path / "new", Terms(FINESS))

    done = CliRunner().invoke(make_app(), ["deadletter", "list", "--data-dir", str(tmp_path / "new")])

    assert isinstance(done.exception, Unavailable)
    assert not (tmp_path / "new" / "ops.sqlite").exists()
