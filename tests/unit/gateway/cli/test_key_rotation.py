"""A platform key is replaced in one step, the old one is kept for the register, and no key ever comes back."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from fhir_profiles.errors import Misconfigured
from gateway.access import Access
from gateway.cli.hospitals import Terms, install
from gateway.cli.key_rotation import rotate_platform
from transformers.deidentify.keys import PLATFORM, RETIRED, TABLES, load_gateway_keys, read_key

FINESS = "750712184"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    install(tmp_path / "data", Terms(FINESS))
    return tmp_path / "data"


def given(folder: Path, text: str) -> Path:
    file = folder / "given.key"
    file.unlink(missing_ok=True)
    file.write_text(text)
    file.chmod(0o400)
    return file


def test_the_new_key_makes_new_values_and_the_old_ones_are_known_as_former(data_dir: Path) -> None:
    first = load_gateway_keys(data_dir / "keys", FINESS)
    assert rotate_platform(data_dir, None) == 0
    second = load_gateway_keys(data_dir / "keys", FINESS)
    rotate_platform(data_dir, None)
    third = load_gateway_keys(data_dir / "keys", FINESS)

    numbers = {one.platform.ano("2850944153726") for one in (first, second, third)}
    assert len(numbers) == 3
    assert [one.ano("2850944153726") for one in second.former] == [first.platform.ano("2850944153726")]
    assert {one.ano("2850944153726") for one in third.former} == numbers - {third.platform.ano("2850944153726")}
    assert first.hospital.person("x") == third.hospital.person("x")  # hospital keys never rotate
    kept = [data_dir / "keys" / PLATFORM, *(data_dir / "keys" / RETIRED).iterdir()]
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o400] * 3


def test_every_gateway_of_a_platform_can_take_the_same_key(data_dir: Path, tmp_path: Path) -> None:
    install(tmp_path / "other", Terms("690781810"), platform_key=data_dir / "keys" / PLATFORM)

    rotate_platform(data_dir, None)
    rotate_platform(tmp_path / "other", data_dir / "keys" / PLATFORM)

    one, other = (read_key(folder / "keys" / PLATFORM) for folder in (data_dir, tmp_path / "other"))
    assert one == other


def test_a_key_that_is_in_use_or_was_replaced_is_refused_and_nothing_changes(data_dir: Path, tmp_path: Path) -> None:
    first = (data_dir / "keys" / PLATFORM).read_text()
    rotate_platform(data_dir, None)
    present = (data_dir / "keys" / PLATFORM).read_text()

    for text in (first, present, (data_dir / "keys" / TABLES).read_text(), "00" * 32, "short"):
        with pytest.raises(Misconfigured):
            rotate_platform(data_dir, given(tmp_path, text))

    assert (data_dir / "keys" / PLATFORM).read_text() == present
    assert len(list((data_dir / "keys" / RETIRED).iterdir())) == 1


def test_a_rotation_that_died_before_the_new_key_was_in_place_changes_nothing_and_can_be_done_again(
    data_dir: Path,
) -> None:
    keys = data_dir / "keys"
    first = read_key(keys / PLATFORM)
    (keys / RETIRED).mkdir()
    (keys / RETIRED / f"platform-{first.key_id}.key").hardlink_to(keys / PLATFORM)
    given(keys, secrets.token_hex(32)).rename(keys / "platform.next")

    before = load_gateway_keys(keys, FINESS)
    rotate_platform(data_dir, None)

    assert before.former == ()
    assert len(load_gateway_keys(keys, FINESS).former) == 1
    assert not (keys / "platform.next").exists()


def test_a_running_gateway_takes_the_new_key_and_one_that_cannot_be_read_leaves_the_old(data_dir: Path) -> None:
    access = Access(data_dir)
    first = access.keys[FINESS].key_id
    access.refresh()
    assert access.keys[FINESS].key_id == first

    rotate_platform(data_dir, None)
    access.refresh()
    second = access.keys[FINESS].key_id
    (data_dir / "keys" / PLATFORM).chmod(0o444)
    (data_dir / "keys" / PLATFORM).rename(data_dir / "keys" / "away")
    access.refresh()

    assert first != second == access.keys[FINESS].key_id


def test_a_key_that_is_replaced_within_a_tick_of_the_clock_is_taken_too(data_dir: Path) -> None:
    """The new file has the size of the old one, and on a coarse file system its time."""
    access = Access(data_dir)
    first, written = access.keys[FINESS].key_id, (data_dir / "keys" / PLATFORM).stat()

    rotate_platform(data_dir, None)
    os.utime(data_dir / "keys" / PLATFORM, ns=(written.st_atime_ns, written.st_mtime_ns))
    access.refresh()

    assert access.keys[FINESS].key_id != first
