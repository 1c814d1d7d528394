"""Key files: what is refused, what is made, what never shows (P16)."""

from __future__ import annotations

import pickle
import secrets
from pathlib import Path

import pytest

from fhir_profiles.errors import Misconfigured
from transformers.deidentify.keys import (
    PUBLISHED,
    check_keys,
    create_keys,
    is_weak,
    load_gateway_keys,
    load_table_keys,
    random_gateway_keys,
    read_key,
)
from transformers.deidentify.pseudonyms import Key, random_key

FINESS = "750712184"
FILES = ("platform.key", f"hospital-{FINESS}.key", "ledger.key", "tables.key")


def written(path: Path, text: str, mode: int = 0o400) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def replaced(folder: Path, name: str, text: str, mode: int = 0o400) -> None:
    (folder / name).unlink()
    written(folder / name, text, mode)


def test_init_makes_four_keys_that_load(tmp_path: Path) -> None:
    made = create_keys(tmp_path / "keys", FINESS)

    assert made == FILES
    for name in FILES:
        path = tmp_path / "keys" / name
        assert path.stat().st_mode & 0o777 == 0o400
        assert len(path.read_text().strip()) == 64
    load_gateway_keys(tmp_path / "keys", FINESS)
    load_table_keys(tmp_path / "keys")
    assert set(check_keys(tmp_path / "keys")) == set(FILES)
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == sorted(FILES)


def test_a_second_hospital_gets_its_own_key_and_nothing_is_overwritten(tmp_path: Path) -> None:
    create_keys(tmp_path, FINESS)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}

    made = create_keys(tmp_path, "690781810")

    assert made == ("hospital-690781810.key",)
    assert before == {name: (tmp_path / name).read_bytes() for name in FILES}


def test_the_platform_key_of_another_gateway_is_taken_over(tmp_path: Path) -> None:
    create_keys(tmp_path / "one", FINESS)
    create_keys(tmp_path / "two", "690781810", platform_key=tmp_path / "one" / "platform.key")

    one, two = (read_key(tmp_path / name / "platform.key") for name in ("one", "two"))
    assert one == two
    create_keys(tmp_path / "two", "690781810", platform_key=tmp_path / "one" / "platform.key")
    create_keys(tmp_path / "three", FINESS)
    with pytest.raises(Misconfigured) as caught:
        create_keys(tmp_path / "two", "690781810", platform_key=tmp_path / "three" / "platform.key")
    assert caught.value.code == "key-differs"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "key-malformed"),
        ("ab" * 31, "key-malformed"),
        ("ab" * 33, "key-malformed"),
        ("zz" * 32, "key-malformed"),
        ("é" * 64, "key-malformed"),
        ("0x" + "3a" * 31, "key-malformed"),
        (" ".join(["ab"] * 32), "key-malformed"),
        ("00" * 32, "key-weak"),
        ("ff" * 32, "key-weak"),
        ("deadbeef" * 8, "key-weak"),
        ("94c4160abeed6dfc6db43a6e2cee918a" * 2, "key-weak"),
        (bytes(range(32)).hex(), "key-published"),
        (bytes(range(7, 39)).hex(), "key-weak"),
        (bytes(range(250, 90, -5)).hex(), "key-weak"),
        (b"correct horse battery staple!!!!".hex(), "key-weak"),
        ("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "key-published"),
    ],
)
def test_a_bad_key_is_refused_and_never_shown(tmp_path: Path, text: str, code: str) -> None:
    create_keys(tmp_path, FINESS)
    replaced(tmp_path, "platform.key", text)

    with pytest.raises(Misconfigured) as caught:
        load_gateway_keys(tmp_path, FINESS)

    assert caught.value.code == code
    assert "platform.key" in str(caught.value)
    assert not text or text[:8] not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o420, 0o402, 0o410, 0o401, 0o644, 0o777])
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    create_keys(tmp_path, FINESS)
    (tmp_path / "tables.key").chmod(mode)

    with pytest.raises(Misconfigured) as caught:
        load_table_keys(tmp_path)

    assert caught.value.code == "key-readable-by-others"


def test_a_missing_key_is_refused(tmp_path: Path) -> None:
    create_keys(tmp_path, FINESS)

    with pytest.raises(Misconfigured) as caught:
        load_gateway_keys(tmp_path, "690781810")
    assert caught.value.code == "key-missing"
    with pytest.raises(Misconfigured, match="key-unreadable"):
        read_key(tmp_path)
    with pytest.raises(Misconfigured, match="key-missing"):
        check_keys(tmp_path / "nowhere")


def test_two_purposes_never_share_a_key(tmp_path: Path) -> None:
    create_keys(tmp_path, FINESS)
    replaced(tmp_path, "ledger.key", (tmp_path / "tables.key").read_text())

    for load in (lambda: load_gateway_keys(tmp_path, FINESS), lambda: load_table_keys(tmp_path)):
        with pytest.raises(Misconfigured) as caught:
            load()
        assert caught.value.code == "key-shared"


def test_published_and_weak_keys_are_told_from_random_ones() -> None:
    assert all(len(secret) == 32 for secret in PUBLISHED)
    assert not any(is_weak(secrets.token_bytes(32)) for _ in range(2000))


def test_no_key_shows_itself() -> None:
    secret = secrets.token_bytes(32)
    keys = random_gateway_keys()

    for shown in (repr(Key(secret)), str(Key(secret)), f"{keys}", repr(keys.platform), repr(keys.hospital)):
        assert secret.hex() not in shown
    with pytest.raises(TypeError):
        pickle.dumps(random_key())
    assert Key(secret) == Key(secret)
    assert hash(Key(secret)) == hash(Key(secret))
    assert Key(secret) != random_key()
