"""UCUM units: sizes, dimensions, what is not read."""

from __future__ import annotations

from fractions import Fraction

import pytest

from fhir_profiles.fhirpath.units import product, quotient, size_of


@pytest.mark.parametrize(
    ("unit", "same"),
    [
        ("mL", "cm3"),
        ("dL", "100.cm3"),
        ("g/L", "mg/mL"),
        ("mg/dL", "10.ug/mL"),
        ("10*9/L", "10*3/uL"),
        ("10^6/mL", "10*9/L"),
        ("kg/m2", "kg.m-2"),
        ("kg/(m.s2)", "Pa"),
        ("mmol/L", "umol/mL"),
        ("/min", "min-1"),
        ("{score}", "1"),
        ("g{wet}/d", "g/d"),
        ("mm[Hg]", "0133322.mPa"),
        ("mg/kg/d", "mg/(kg.d)"),
        ("wk", "7.d"),
        ("m/m", "1"),
        ("k[IU]/L", "[IU]/mL"),
    ],
)
def test_two_ways_to_write_a_unit_have_one_size(unit: str, same: str) -> None:
    assert size_of(unit) is not None
    assert size_of(unit) == size_of(same)


@pytest.mark.parametrize(
    ("unit", "other"), [("Cel", "K"), ("[degF]", "Cel"), ("[IU]", "U"), ("kg", "m"), ("kg/m2", "kg/m"), ("%", "1")]
)
def test_units_of_another_kind_or_size_are_not_one(unit: str, other: str) -> None:
    assert size_of(unit) is not None
    assert size_of(unit) != size_of(other)


@pytest.mark.parametrize(
    "unit",
    [
        "",
        " ",
        "zork",
        "mm hg",
        "m//s",
        "m.",
        "(m",
        "m)",
        "{x",
        "é",
        "m99",
        "10*99",
        "1/0",
        "a",
        "mo",
        "m" * 65,
        "((" * 20,
    ],
)
def test_what_is_no_unit_here_has_no_size(unit: str) -> None:
    assert size_of(unit) is None


def test_products_and_quotients_keep_their_parts_together() -> None:
    assert product("g/L", "m") == "(g/L).m"
    assert quotient("g", "m.s") == "g/(m.s)"
    assert size_of(quotient("g", "m/s")) == (Fraction(1), (("g", 1), ("m", -1), ("s", 1)))
