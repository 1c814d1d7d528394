"""A million made-up identities: no collision, nothing in common across keys, purposes and hospitals (P15)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from transformers.deidentify.pseudonyms import HospitalKey, Key, PlatformKey, TableKeys

pytestmark = pytest.mark.slow

NUMBER = 1_000_000
OTHERS = 100_000
K1, K1_OTHER = PlatformKey(Key(bytes(range(1, 33)))), PlatformKey(Key(bytes(range(2, 34))))
K2, K2_OTHER = TableKeys(Key(bytes(range(3, 35)))), TableKeys(Key(bytes(range(4, 36))))
HERE, THERE = HospitalKey(Key(bytes(range(5, 37))), "750712184"), HospitalKey(Key(bytes(range(5, 37))), "690781810")


def numbers(count: int) -> Iterator[str]:
    """Thirteen-character numbers that real ones look like: all differ, and many differ by one digit only."""
    for rank in range(count):
        sex, year, month = 1 + rank % 2, rank // 2 % 100, 1 + rank // 200 % 12
        yield f"{sex}{year:02d}{month:02d}75{rank // 2400 % 1000:03d}{rank // 2_400_000:03d}"


def test_a_million_identities_have_a_million_pseudonyms() -> None:
    level1 = {K1.ano(number) for number in numbers(NUMBER)}

    assert len(set(numbers(NUMBER))) == NUMBER
    assert len(level1) == NUMBER
    assert len({K2.nir_ano_17(value) for value in level1}) == NUMBER


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


def test_the_second_level_changes_with_its_key() -> None:
    level1 = [K1.ano(number) for number in numbers(OTHERS)]

    assert not {K2.nir_ano_17(value) for value in level1} & {K2_OTHER.nir_ano_17(value) for value in level1}
