"""The contracts of a table writer: a new hospital is known at once, a slip of the operator changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.agreed import Agreed
from gateway.cli.hospitals import Terms, add, install, load_units
from transformers.contract import Contract, Unit

FINESS = "750712184"
OTHER = "690781810"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    install(tmp_path / "d", Terms(FINESS))
    return tmp_path / "d"


def test_a_hospital_added_while_the_writer_runs_is_known_at_its_first_event(data_dir: Path) -> None:
    agreed = Agreed(data_dir, clock=lambda: 0.0)
    assert agreed(OTHER) is None

    add(data_dir, Terms(OTHER), scopes="write", platform_key=None)

    assert agreed(OTHER) == Contract(OTHER)


def test_a_changed_unit_table_counts_after_a_second(data_dir: Path, tmp_path: Path) -> None:
    now = [0.0]
    agreed = Agreed(data_dir, clock=lambda: now[0])
    (tmp_path / "units.csv").write_text("unit,finess_geo,type1,type2\nU1,750712192,,\n")
    load_units(data_dir, FINESS, tmp_path / "units.csv")

    before = agreed(FINESS)
    now[0] = 1.0
    after = agreed(FINESS)

    assert before is not None
    assert after is not None
    assert (before.units, after.units) == ({}, {"U1": Unit("750712192")})


def test_a_file_that_cannot_be_read_leaves_the_old_contracts_in_force(data_dir: Path) -> None:
    agreed = Agreed(data_dir, clock=lambda: 0.0)
    (data_dir / "hospitals.toml").write_text("version = ")

    assert agreed(OTHER) is None
    assert agreed(FINESS) == Contract(FINESS)


def test_a_table_writer_needs_no_key_of_level_1_and_no_credential(data_dir: Path) -> None:
    shutil.rmtree(data_dir / "keys")
    (data_dir / "credentials.toml").unlink()

    assert Agreed(data_dir)(FINESS) == Contract(FINESS)
