"""A million made-up identities: no collision, nothing in common across keys, purposes and hospitals (P15)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from tests.support.scrubbed import GATEWAY, collection, contents, encounter, ins, ipp, keys, patient, scrubbed
from transformers.contract import Contract
from transformers.deidentify.pseudonyms import HospitalKey, Key, PlatformKey, TableKeys

pytestmark = pytest.mark.slow

NUMBER = 1_000_000
OTHERS = 20_000
K1, K1_OTHER = PlatformKey(Key(bytes(range(1, 33)))), PlatformKey(Key(bytes(range(2, 34))))
K2, K2_OTHER = TableKeys(Key(bytes(range(3, 35)))), TableKeys(Key(bytes(range(4, 36))))
HERE, THERE = HospitalKey(Key(bytes(range(5, 37))), "750712184"), HospitalKey(Key(bytes(range(5, 37))), "690781810")


def numbers(count: int) -> Iterator[str]:
    """Thirteen-character numbers that real ones look like: all differ, and many differ by one digit only."""
    for rank in range(count):
        sex, year, month = 1 + rank % 2, rank // 2 % 100, 1 + rank // 200 % 12
        yield f"{sex}{year:02d}{month:02d}75{rank // 2400 % 1000:03d}{rank // 2_400_000:03d}"


def test_a_million_identities_have_a_million_pseudonyms_under_each_key_and_purpose_and_none_in_common() -> None:
    chained = {K1.ano(number) for number in numbers(NUMBER)}
    second = {K2.nir_ano_17(value) for value in chained}

    assert len(set(numbers(NUMBER))) == NUMBER
    assert len(chained) == len(second) == NUMBER
    assert not any(K1_OTHER.ano(number) in chained for number in numbers(NUMBER))
    assert not any(K1.psa(number, "19850921", "2") in chained for number in numbers(NUMBER))
    assert not any(K2_OTHER.nir_ano_17(value) in second for value in chained)


def test_a_million_local_numbers_are_others_in_another_hospital_and_for_another_purpose() -> None:
    local = {HERE.ipp(number) for number in numbers(NUMBER)}

    assert len(local) == NUMBER
    for make in (THERE.ipp, HERE.person):
        assert not any(make(number) in local for number in numbers(NUMBER))


def test_keys_purposes_and_hospitals_have_no_value_in_common() -> None:
    made = [
        {make(number) for number in numbers(OTHERS)}
        for make in (
            K1.ano, K1_OTHER.ano, lambda number: K1.psa(number, "19850921", "2"),
            HERE.person, HERE.stay, HERE.resource, HERE.ipp, HERE.code, THERE.person, THERE.ipp,
            K2.technical, K2_OTHER.technical, K2.id_mam_enf,
        )
    ]  # fmt: skip

    assert {len(values) for values in made} == {OTHERS}
    assert len(set().union(*made)) == OTHERS * len(made)


def test_a_person_is_chained_across_hospitals_and_nothing_else_of_theirs_is_the_same() -> None:
    """One record, sent by two hospitals of one platform: `psa` and `ano` are the same, every local value differs."""
    record = collection(patient(identifier=[ins(), ipp()]), encounter())
    made = [
        contents(scrubbed(record, contract=Contract(finess=finess), with_keys=keys(hospital=number, finess=finess)))
        for number, finess in enumerate(("750712184", "690781810"), 2)
    ]

    (here_chained, here_local), (there_chained, there_local) = map(values_by_level, made)
    assert set(here_chained) == {"ano", "psa"}
    assert here_chained == there_chained
    assert len(here_local) >= 4
    assert not here_local & there_local


def values_by_level(resources: list[dict[str, Any]]) -> tuple[dict[str, str], set[str]]:
    """The chained values by their name, and every other pseudonym."""
    found = [
        (system.removeprefix(GATEWAY), value)
        for system, value in re.findall(r'"system":"([^"]+)","value":"([A-Za-z0-9_-]{22,43})"', dumped(resources))
    ]
    chained = {name: value for name, value in found if name in ("ano", "psa")}
    return chained, {value for name, value in found if name not in ("ano", "psa")}


def dumped(resources: list[dict[str, Any]]) -> str:
    return orjson.dumps(resources).decode()
