"""Versions of the contracts: kept when they come into force, compared term by term."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fhir_profiles.errors import Misconfigured
from gateway.access import Access
from gateway.cli.hospitals import Terms, add, install
from gateway.cli.main import make_app
from gateway.contract_history import Difference, differences, keep_version, versions
from transformers.contract import Contract

FINESS = "750712184"
OTHER = "690781810"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    install(tmp_path / "d", Terms(FINESS, "CHU"))
    return tmp_path / "d"


def change(data_dir: Path, before: str, after: str) -> None:
    file = data_dir / "hospitals.toml"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))


def run(data_dir: Path, *words: str) -> Result:
    return CliRunner().invoke(make_app(), ["contract", *words, "--data-dir", str(data_dir), "--format", "json"])


def test_what_comes_into_force_is_kept_once(data_dir: Path) -> None:
    access = Access(data_dir)
    Access(data_dir)
    change(data_dir, 'name = "CHU"', 'name = "CHU Fictif"')
    access.refresh()
    access.refresh()

    assert [path.name for path in versions(data_dir)] == ["0001.toml", "0002.toml"]


def test_a_contract_that_cannot_be_read_is_not_kept_and_the_old_one_stays_in_force(data_dir: Path) -> None:
    access = Access(data_dir)
    change(data_dir, "test = false", "test = 3")

    access.refresh()

    assert len(versions(data_dir)) == 1
    assert access.contract(FINESS) == Contract(FINESS, "CHU")


def test_the_difference_to_what_is_in_force_is_shown_and_ends_with_1(data_dir: Path) -> None:
    keep_version(data_dir)
    unchanged = run(data_dir, "diff")
    change(data_dir, 'dp_rule = "quarantine"', 'dp_rule = "longest-unit"')

    done = run(data_dir, "diff")

    assert (unchanged.exit_code, unchanged.stdout) == (0, "")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {
        "finess": FINESS, "term": "dp_rule", "before": "quarantine", "after": "longest-unit",
    }  # fmt: skip


def test_a_hospital_that_comes_is_a_difference_in_every_term() -> None:
    found = list(differences({}, {FINESS: Contract(FINESS, test=True)}))

    assert all(one.before is None for one in found)
    assert Difference(FINESS, "test", None, "true") in found
    assert list(differences({FINESS: Contract(FINESS)}, {FINESS: Contract(FINESS)})) == []


def test_a_proposed_file_is_compared_before_it_is_put_in_place(data_dir: Path, tmp_path: Path) -> None:
    keep_version(data_dir)
    proposed = tmp_path / "proposed.toml"
    proposed.write_text((data_dir / "hospitals.toml").read_text().replace("test = false", "test = true"))

    assert '"term":"test"' in run(data_dir, "diff", str(proposed)).stdout


def test_a_wrong_proposal_is_refused(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "proposed.toml").write_text("version = 1\n[hospital.x]")

    assert isinstance(run(data_dir, "diff", str(tmp_path / "proposed.toml")).exception, Misconfigured)


def test_the_history_lists_what_each_version_changed(data_dir: Path) -> None:
    keep_version(data_dir)
    add(data_dir, Terms(OTHER), scopes="write", platform_key=None)
    keep_version(data_dir)

    first, second = map(json.loads, run(data_dir, "history").stdout.splitlines())

    assert {one["finess"] for one in first["changes"]} == {FINESS}
    assert {one["finess"] for one in second["changes"]} == {OTHER}
