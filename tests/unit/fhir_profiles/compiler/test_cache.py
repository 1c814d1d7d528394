"""The folder of compiled modules: old digests go, whoever still uses one goes on, a cache that cannot be written costs
no answer.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from fhir_profiles.compiler import load_profiles
from fhir_profiles.compiler.cache import KEPT, prune
from fhir_profiles.validator import Validator
from tests.support.posted import patient

DAY = 86_400


def folder_of(parent: Path, number: int, *, days: float) -> Path:
    folder = parent / f"{number:032x}"
    folder.mkdir(mode=0o700)
    (folder / "index").write_bytes(b"x")
    used = time.time() - days * DAY
    os.utime(folder, (used, used))
    return folder


def validator(cache: Path) -> Validator:
    return Validator(load_profiles(cache_dir=cache, packages=("r4",)))


def test_digests_that_nobody_used_lately_go_and_the_latest_and_todays_stay(tmp_path: Path) -> None:
    old = [folder_of(tmp_path, number, days=10 + number) for number in range(KEPT + 3)]
    today = [folder_of(tmp_path, 100 + number, days=0.1) for number in range(KEPT + 2)]
    mine = folder_of(tmp_path, 200, days=400)

    prune(mine)

    assert {*tmp_path.iterdir()} == {mine, *today}
    for one in today:
        shutil.rmtree(one)
    again = [folder_of(tmp_path, number, days=10 + number) for number in range(KEPT + 3)]
    prune(mine)
    assert {*tmp_path.iterdir()} == {mine, *again[:KEPT]}
    assert len(old) == len(again)


def test_nothing_but_folders_of_digests_is_taken_away(tmp_path: Path) -> None:
    mine = folder_of(tmp_path, 1, days=0)
    for number in range(KEPT):
        folder_of(tmp_path, 10 + number, days=1.5)
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_bytes(b"x")
    (tmp_path / ("a" * 32)).symlink_to(elsewhere)
    notes = tmp_path / "notes"
    notes.mkdir()
    os.utime(notes, (0, 0))

    prune(mine)

    assert (elsewhere / "kept").is_file()
    assert notes.is_dir()
    assert (tmp_path / ("a" * 32)).is_symlink()


def test_loading_prunes_and_counts_as_use(tmp_path: Path) -> None:
    validator(tmp_path)
    [mine] = tmp_path.iterdir()
    os.utime(mine, (0, 0))
    others = [folder_of(tmp_path, number, days=10 + number) for number in range(KEPT + 2)]

    validator(tmp_path)

    assert mine.is_dir()
    assert time.time() - mine.stat().st_mtime < DAY
    assert not others[-1].exists()


def test_a_process_whose_folder_was_taken_away_goes_on_and_makes_it_again(tmp_path: Path) -> None:
    running = validator(tmp_path)
    [mine] = tmp_path.iterdir()
    shutil.rmtree(mine)

    found = running.validate_resource(patient(gender="z"), french_profiles="declared")

    assert [one.code for one in found] == ["code-not-in-value-set"]
    assert mine.stat().st_mode & 0o077 == 0
    assert any(mine.iterdir())


def test_a_cache_that_cannot_be_written_costs_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = validator(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr("fhir_profiles.compiler.cache.Path.replace", full)
    found = running.validate_resource(patient(gender="z"), french_profiles="declared")

    assert [one.code for one in found] == ["code-not-in-value-set"]
    assert [one.name for one in next(tmp_path.iterdir()).iterdir() if one.name.startswith("tmp")] == []
