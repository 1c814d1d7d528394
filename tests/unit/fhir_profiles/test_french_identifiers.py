"""French numbers are read as people write them, and identifiers known by system and type, never by slice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.fr import nir as oracle

from fhir_profiles.french.identifiers import (
    FINESS,
    FR_V2_0203,
    IDNST,
    INS_NIR,
    V2_0203,
    finess_of,
    is_bare_oid,
    kind_of,
    oid_system,
)
from fhir_profiles.french.luhn import ean_is_right, luhn_is_right
from fhir_profiles.french.nir import parse_nir

VALID = ["279035121518989", "260058815400233", "174120100601280", "279032A00401882", "279032B03300726"]


def typed(code: str, system: str | None = FR_V2_0203) -> dict[str, Any]:
    return {"type": {"coding": [{"code": code} | ({"system": system} if system else {})]}}


@pytest.mark.parametrize("value", VALID)
def test_right_keys_are_right(value: str) -> None:
    nir = parse_nir(value)

    assert nir is not None
    assert nir.key_is_right
    assert nir.number + nir.expected_key == value


@pytest.mark.parametrize(
    "written", ["2 79 03 51 215 189 89", "2\u00a079.03.51.215.189-89", "279032a00401882", " 279035121518989 "]
)
def test_separators_and_case_do_not_matter(written: str) -> None:
    nir = parse_nir(written)

    assert nir is not None
    assert nir.key_is_right


def test_thirteen_characters_are_a_number_without_key() -> None:
    nir = parse_nir("2790351215189")

    assert nir is not None
    assert (nir.key, nir.key_is_right, nir.expected_key) == (None, None, "89")
    assert (nir.sex_digit, nir.year, nir.month, nir.department) == ("2", "79", "03", "51")
    assert "2790351" not in f"{nir!r}{nir}"


@pytest.mark.parametrize(
    "value",
    [
        *(None, 15, "", "abc", "0790351215189", "9790351215189", "279035121518", "27903512151898"),
        *("2790351215189890", "279032C004018", "²790351215189", "2" * 1000, "２７９０３５１２１５１８９"),
    ],
)
def test_other_shapes_are_no_number(value: object) -> None:
    assert parse_nir(value) is None


@given(st.from_regex(r"[12][0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[1-8][0-9]|2A|2B)[0-9]{6}[0-9]{2}", fullmatch=True))
def test_keys_agree_with_an_independent_implementation(value: str) -> None:
    nir = parse_nir(value)

    assert nir is not None
    assert nir.expected_key == oracle.calc_check_digits(value)


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [
        ({"system": INS_NIR}, "INS-NIR"),
        ({"system": INS_NIR.removeprefix("urn:oid:")}, "INS-NIR"),
        ({"system": INS_NIR} | typed("NH", V2_0203), "NSS"),
        ({"system": INS_NIR} | typed("NIR", "http://interopsante.org/fhir/CodeSystem/fr-v2-0203"), "INS-NIR"),
        ({"system": "urn:oid:1.2.250.1.213.1.4.9"}, "INS-NIA"),
        ({"system": "urn:oid:1.2.250.1.213.1.4.10"}, "INS-NIR-TEST"),
        ({"system": "urn:oid:1.2.250.1.213.1.4.11"}, "INS-NIR-DEMO"),
        ({"system": "urn:oid:1.2.250.1.213.1.4.2"}, "INS-C"),
        ({"system": "urn:oid:1.2.250.1.213.1.4.13"}, "NSS"),
        ({"system": "https://h.fr/ipp"} | typed("PI", V2_0203), "PI"),
        ({"system": "https://h.fr/ipp"} | typed("PI", None), "PI"),
        ({"system": "https://h.fr/ipp"} | typed("PI", "https://h.fr/own-types"), None),
        ({"system": "https://h.fr/ipp"}, None),
        ({"system": 1, "type": "PI"}, None),
        ({"type": {"coding": [1, {"code": 2}]}}, None),
    ],
)
def test_system_then_type_say_what_an_identifier_is(identifier: dict[str, Any], kind: str | None) -> None:
    assert kind_of(identifier) == kind


def test_bare_oids_are_recognised() -> None:
    assert oid_system("1.2.250.1.213.1.4.8") == INS_NIR
    assert [
        is_bare_oid(text) for text in ("urn:oid:1.2.3.4", "https://h.fr", "1.2", "1.02.3.4", "3.1.2.3", "1." * 99)
    ] == [False] * 6


@pytest.mark.parametrize(
    ("identifier", "finess"),
    [
        ({"system": FINESS, "value": "750712184"}, "750712184"),
        ({"system": FINESS, "value": "75071218"}, None),
        ({"system": IDNST, "value": "1750712184"}, "750712184"),
        ({"system": IDNST, "value": "2264403106"}, None),
        ({"system": IDNST, "value": "750712184"}, None),
        ({"value": "2A0000014"} | typed("FINEJ"), "2A0000014"),
        ({"value": "750 712 184"} | typed("FINEG"), "750712184"),
        ({"value": "750712184"}, None),
        ({"system": FINESS}, None),
    ],
)
def test_finess_is_read_from_both_forms(identifier: dict[str, Any], finess: str | None) -> None:
    assert finess_of(identifier) == finess


def test_check_digits() -> None:
    for number in ("350005179", "350009999", "580008803", "540002698", "264403106", "263500076"):
        assert luhn_is_right(number)
        assert not luhn_is_right(number[:-1] + str((int(number[-1]) + 1) % 10))


@pytest.mark.parametrize("code", ["4006381333931", "9780201379624"])
def test_the_last_digit_of_an_ean_is_its_key(code: str) -> None:
    right = [digit for digit in "0123456789" if ean_is_right(code[:12] + digit)]

    assert right == [code[12]]
