"""UCUM is read by its grammar, and values are normalised with sourced data only."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformers.snds.codes import Drug, drug
from transformers.snds.ucum import unit
from transformers.snds.ucum_reference import _aliases as aliases
from transformers.snds.ucum_reference import between, conversion, references, substances, ucum_code


@pytest.mark.parametrize(
    ("sent", "wanted", "factor"),
    [
        ("10*3/uL", "10*9/L", 1),
        ("10^12/L", "10*12/L", 1),
        ("/mm3", "10*9/L", 1e-3),
        ("{cells}/uL", "10*9/L", 1e-3),
        ("g/L", "g/dL", 0.1),
        ("nkat/L", "U/L", 0.06),
        ("kPa", "mm[Hg]", 7.50061683),
        ("mm[Hg]", "cm[H2O]", 1.35951),
        ("L/L", "%", 100),
        ("mmol/mol", "%", 0.1),
        ("mL/min/{1.73_m2}", "L/h", 0.06),
        ("ug/kg/min", "mg/kg/h", 0.06),
        ("mol/(m3)", "mmol/L", 1),
        ("g.m/s2", "N", 1e-3),
        ("daL", "L", 10),
        ("[lb_av]", "kg", 0.45359237),
    ],
)
def test_commensurable_units_convert(sent: str, wanted: str, factor: float) -> None:
    found = between(sent, wanted)

    assert found is not None
    assert found[0] == pytest.approx(factor, rel=1e-6)


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [("mg/dL", "mmol/L"), ("[IU]/L", "U/L"), ("meq/L", "mmol/L"), ("mL/min", "L"), ("[pH]", "1"), ("10*9/L", "mol/L")],
)
def test_units_of_different_things_do_not_convert(sent: str, wanted: str) -> None:
    assert between(sent, wanted) is None


@pytest.mark.parametrize("code", ["", "mg/", "foo", "g/dl/", "/", "mm[Hg", "µg", "a" * 41, "mg dL", "k%", "()", "m/(s"])
def test_what_is_not_ucum_is_no_unit(code: str) -> None:
    assert unit(code) is None


@pytest.mark.parametrize(
    ("loinc", "sent", "value", "normal"),
    [
        ("2160-0", "mg/dL", 1.0, 88.4),  # creatinine
        ("14682-9", "mg/L", 10.0, 88.4),
        ("2345-7", "mg/dL", 90.0, 5.0),  # glucose
        ("2345-7", "g/L", 1.0, 5.55),
        ("3091-6", "g/L", 0.3, 5.0),  # urea
        ("3094-0", "mg/dL", 14.0, 5.0),  # urea nitrogen
        ("1975-2", "mg/dL", 1.0, 17.1),  # bilirubin
        ("2093-3", "g/L", 2.0, 5.17),  # cholesterol
        ("2571-8", "g/L", 1.5, 1.69),  # triglycerides
        ("17861-6", "mg/dL", 10.0, 2.5),  # calcium
        ("2000-8", "meq/L", 5.0, 2.5),
        ("718-7", "mmol/L", 8.7, 14.0),  # haemoglobin, back to mass
        ("9318-7", "mg/g", 30.0, 3.39),  # albumin to creatinine
    ],
)
def test_mass_and_amount_convert_with_the_molar_mass(loinc: str, sent: str, value: float, normal: float) -> None:
    found = conversion(loinc, sent)

    assert found is not None
    assert found.of(value) == pytest.approx(normal, rel=5e-3)


def test_the_international_unit_of_an_enzyme_is_its_unit() -> None:
    found = conversion("1742-6", "UI/L")
    assert found is not None
    assert (pytest.approx(1.0), "U/L") == (found.factor, found.unit)


def test_fahrenheit_becomes_celsius() -> None:
    found = conversion("8310-5", "[degF]")

    assert found is not None
    assert found.of(98.6) == pytest.approx(37.0)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("G/L", "10*9/L"),
        ("T/L", "10*12/L"),
        ("µmol/L", "umol/L"),
        ("UI/L", "[IU]/L"),
        ("°C", "Cel"),
        ("mg/dL", "mg/dL"),
    ],
)
def test_french_spellings_are_understood(sent: str, meant: str) -> None:
    assert ucum_code(sent) == meant


def test_every_packaged_unit_is_ucum_and_every_substance_is_known() -> None:
    assert [code for code, one in references().items() if unit(one.unit) is None] == []
    assert [sent for sent, meant in aliases().items() if unit(meant) is None] == []
    known = {*substances(), "enzyme", "arbitrary", ""}
    assert {one.substance for one in references().values()} <= known
    assert {one.table for one in references().values()} == {"BIO", "CST"}


def test_every_packaged_loinc_code_has_a_right_check_digit() -> None:
    def right(code: str) -> bool:
        body, digit = code.split("-")
        total = sum(sum(divmod(int(one) * (2 if place % 2 == 0 else 1), 10)) for place, one in enumerate(body[::-1]))
        return -total % 10 == int(digit)

    assert [code for code in references() if not right(code)] == []


def test_the_list_of_the_national_working_group_is_covered() -> None:
    listed = [
        "22664-7",
        "14682-9",
        "2160-0",
        "62238-1",
        "77147-7",
        "35591-7",
        "6690-2",
        "718-7",
        "4544-3",
        "789-8",
        "30428-7",
        "777-3",
        "26499-4",
        "26474-7",
        "26449-9",
        "26484-6",
        "5894-1",
        "14979-9",
        "13488-2",
        "63561-5",
        "69423-2",
        "1920-8",
        "30239-8",
        "1742-6",
        "1743-4",
        "2324-2",
        "6768-6",
        "14631-6",
        "29760-6",
        "14749-6",
        "40193-5",
        "4548-4",
        "59261-8",
    ]

    assert [code for code in listed if code not in references()] == []


@given(st.text(alphabet="mgkLdlUu/.()[]{}10*^-%'HIU ", max_size=45))
def test_any_text_is_a_unit_or_is_not_and_never_an_error(code: str) -> None:
    found = unit(code)

    assert found is None or found.factor != 0


RULES = tomllib.loads((files("transformers.deidentify") / "rules.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("printed", RULES["units"]["printed"])
def test_every_printed_unit_that_may_leave_has_a_meaning(printed: str) -> None:
    assert unit(ucum_code(printed)) is not None


@pytest.mark.parametrize("system", RULES["systems"]["shapes"]["drug"])
def test_every_drug_system_that_may_leave_is_told(system: str) -> None:
    sent = {"ucd": "9234567", "cip": "3400930000120", "cis": "60234100"}

    assert [name for name, code in sent.items() if drug({"coding": [{"system": system, "code": code}]}) != Drug()] != []
