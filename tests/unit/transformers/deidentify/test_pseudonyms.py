"""Pseudonyms: known answers computed by hand-written RFC 2104 / RFC 5869, shapes, separation (P15)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import pytest

from transformers.deidentify.keys import PUBLISHED, random_gateway_keys, random_table_keys
from transformers.deidentify.pseudonyms import (
    HospitalKey,
    Key,
    LedgerKey,
    PlatformKey,
    TableKeys,
    framed,
    hash_secret,
    keyed_hash,
    random_key,
    same_secret,
)

K1 = bytes.fromhex("8ba1d23f0c57e46972b5f6180394cdae5b17f08c6dd2394ea0c17be65f83290d")
K2 = bytes.fromhex("1f6e0b9ac4d35782e90d47b16ac82f53bd7e0419f8a6c35d2b90e4716f8ad23c")


def expected(secret: bytes, purpose: str, message: bytes) -> bytes:
    extracted = hmac.new(b"fhir-snds-gateway/v1", secret, hashlib.sha256).digest()
    derived = hmac.new(extracted, purpose.encode() + b"\x01", hashlib.sha256).digest()
    return hmac.new(derived, message, hashlib.sha256).digest()


def url64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def test_the_keys_of_these_tests_are_refused_in_files() -> None:
    assert {K1, K2} <= PUBLISHED


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 1000])
def test_the_prepared_states_give_hmac_sha_256(length: int) -> None:
    message = bytes(range(256)) * 4

    assert keyed_hash(K1)(message[:length]) == hmac.digest(K1, message[:length], "sha256")


def test_level_one_follows_its_construction() -> None:
    key = PlatformKey(Key(K1))

    assert key.psa("1850175056123", "19850112", "1") == url64(
        expected(K1, "platform/psa", b"13:18501750561238:198501121:1")
    )
    assert key.ano("1850175056123") == url64(expected(K1, "platform/ano", b"13:1850175056123"))


def test_local_values_follow_their_construction() -> None:
    key = HospitalKey(Key(K1), "750712184")

    assert key.person("a", "b") == url64(expected(K1, "hospital/750712184/person", b"1:a1:b")[:16])
    assert key.stay("a") == url64(expected(K1, "hospital/750712184/stay", b"1:a")[:16])
    assert key.resource("a") == url64(expected(K1, "hospital/750712184/resource", b"1:a")[:16])
    assert key.ipp("a") == url64(expected(K1, "hospital/750712184/ipp", b"1:a")[:16])
    assert key.code("a") == url64(expected(K1, "hospital/750712184/code", b"1:a")[:16])
    assert key.bundle("a") == url64(expected(K1, "hospital/750712184/bundle", b"1:a")[:16])


def test_level_two_follows_its_construction() -> None:
    key = TableKeys(Key(K2))
    number = int.from_bytes(expected(K2, "tables/nir", b"level-1")[:16], "big") % 36**17

    value = key.nir_ano_17("level-1")
    assert (int(value, 36), len(value)) == (number, 17)
    assert key.ipp_ben_ano("ipp") == base64.b64encode(expected(K2, "tables/ipp", b"ipp")).decode()
    assert key.id_mam_enf("mother") == expected(K2, "tables/mother", b"mother")[:16].hex()
    assert key.technical("key") == url64(expected(K2, "tables/technical", b"key")[:16])
    assert key.rsa_num("stay") == f"{int.from_bytes(expected(K2, 'tables/rsa', b'stay'), 'big') % 10**10:010d}"
    assert key.sej_num_offset("psa") == int.from_bytes(expected(K2, "tables/sej", b"psa"), "big") % 100_000


def test_known_answers_never_change() -> None:
    """A release that breaks this test breaks the chaining of every installation."""
    platform, hospital, tables, ledger = (
        PlatformKey(Key(K1)),
        HospitalKey(Key(K1), "750712184"),
        TableKeys(Key(K2)),
        LedgerKey(Key(K2)),
    )

    assert {
        "psa": platform.psa("1850175056123", "19850112", "1"),
        "ano": platform.ano("1850175056123"),
        "person": hospital.person("main", "Patient", "p1"),
        "nir_ano_17": tables.nir_ano_17("level-1"),
        "ipp_ben_ano": tables.ipp_ben_ano("level-1"),
        "id_mam_enf": tables.id_mam_enf("level-1"),
        "technical": tables.technical("level-1"),
        "rsa_num": tables.rsa_num("level-1"),
        "sej_num_offset": tables.sej_num_offset("level-1"),
        "event_id": ledger.event_id("", "person|x", b"{}"),
        "receipt": ledger.receipt("750712184", b"{}"),
        "key_id": platform.key_id,
    } == KNOWN  # fmt: skip


KNOWN: dict[str, object] = {
    "psa": "l2s6aGH--83UGs4_U7pqYsQdvkaZT5bxk0SbSe_aQq4",
    "ano": "PLB3WmNY8puy5L5LzhLV5u0sL-X2h4R4QfEY_KcJfgQ",
    "person": "5MEGptD2NtYWgCfYBDffzw",
    "nir_ano_17": "9V5Y1TFXF0A8O8W1O",
    "ipp_ben_ano": "v4i7Z1hiu8Zf19aAARQg24ob+25wLsZBy3eCg0iNWXM=",
    "id_mam_enf": "bcb56e12d1a3f2270fbd12532030d8a1",
    "technical": "u0-0nyWRi-nmwLgP2ty3tg",
    "rsa_num": "7990515779",
    "sej_num_offset": 44230,
    "event_id": "y6uxsEeuBWVvnevXqcbVkA",
    "receipt": "rj-RU7RAt-qTDSMKi0v9fw",
    "key_id": "d2c6179e",
}


def test_shapes_fit_the_columns() -> None:
    for keys in (TableKeys(random_key()), random_table_keys()):
        for number in range(200):
            local = f"value-{number}"
            assert re.fullmatch("[0-9A-Z]{17}", keys.nir_ano_17(local))
            assert len(keys.ipp_ben_ano(local)) == 44
            assert len(keys.id_mam_enf(local)) == 32
            assert len(keys.technical(local)) == 22
            assert re.fullmatch("[0-9]{10}", keys.rsa_num(local))
            assert 0 <= keys.sej_num_offset(local) < 100_000


def test_dry_runs_are_marked_and_join_with_nothing() -> None:
    keys, tables = random_gateway_keys(), random_table_keys()

    assert tables.nir_ano_17("x").startswith("DEMO")
    for value, width in (
        (keys.hospital.person("a"), 22),
        (keys.hospital.resource("a"), 22),
        (keys.hospital.code("a"), 22),
        (keys.platform.psa("a", "b", "c"), 43),
        (keys.platform.ano("a"), 43),
        (keys.ledger.event_id("a", "b", b"c"), 22),
        (keys.ledger.receipt("a", b"c"), 22),
        (tables.ipp_ben_ano("a"), 44),
        (tables.id_mam_enf("a"), 32),
        (tables.technical("a"), 22),
    ):
        assert value.startswith("demo-")
        assert len(value) == width
    assert keys.hospital.person("a") != random_gateway_keys().hospital.person("a")


def test_purposes_hospitals_and_keys_share_no_value() -> None:
    here, there = HospitalKey(Key(K1), "750712184"), HospitalKey(Key(K1), "690781810")
    other = HospitalKey(Key(K2), "750712184")

    values = [
        value
        for key in (here, there, other)
        for value in (key.person("x"), key.stay("x"), key.resource("x"), key.ipp("x"), key.code("x"), key.bundle("x"))
    ]
    assert len(set(values)) == len(values) == 18


def test_many_identities_do_not_collide() -> None:
    platform, tables = PlatformKey(Key(K1)), TableKeys(Key(K2))

    level1 = {platform.psa(f"1{number:012d}", "19850112", "1") for number in range(20_000)}
    assert len(level1) == 20_000
    assert len({tables.nir_ano_17(value) for value in level1}) == 20_000
    assert not level1 & {platform.ano(f"1{number:012d}") for number in range(20_000)}


def test_framing_tells_every_list_of_texts_apart() -> None:
    assert len({framed("a", "b"), framed("ab"), framed("a", "b", ""), framed("", "ab"), framed("1:a", "b")}) == 5


def test_ledger_values_are_deterministic_and_depend_on_every_part() -> None:
    ledger = LedgerKey(Key(K2))

    assert ledger.event_id("i", "k", b"b") == ledger.event_id("i", "k", b"b")
    variants = (("i", "k", b"b"), ("", "k", b"b"), ("i", "", b"b"), ("i", "k", b""))
    assert len({ledger.event_id(*parts) for parts in variants}) == 4
    assert ledger.receipt("750712184", b"x") != ledger.receipt("690781810", b"x")


def test_an_api_key_is_kept_as_a_salted_keyed_digest() -> None:
    kept = hash_secret("secret")

    assert same_secret("secret", kept)
    assert not same_secret("Secret", kept)
    assert not same_secret("secret", "")
    assert "secret" not in kept
    assert hash_secret("secret") != kept


@pytest.mark.parametrize("demo", [False, True])
@pytest.mark.parametrize("last", ["", "bio-1", "é:3", "1:a"])
def test_a_key_made_from_its_prepared_first_parts_is_the_same_key(last: str, *, demo: bool) -> None:
    hospital = HospitalKey(Key(K1, demo=demo), "750712184")

    made = hospital.resources("rest", "main", "Observation")(last)

    assert made == hospital.resource("rest", "main", "Observation", last)
