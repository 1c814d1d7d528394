"""An operator's tables are read line by line; what is wrong is named and left out."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from transformers.snds.reference import NO_REFERENCE, Listed
from transformers.snds.reference_kinds import KINDS
from transformers.snds.reference_tables import Problem, read_table, reference, written


def test_the_header_names_the_columns_in_any_order_case_and_separator() -> None:
    kind = KINDS["pmsi-geography"]
    for text in (
        "insee;postal;code\n50016;50750;50C01\n",
        "\ufeffCode_Geo,Code_Postal,INSEE,other\r\n50C01,50750,50016,x\r\n",
        "postal\tcode\tinsee\n50750\t50c01\t50016\n",
    ):
        assert read_table(kind, text).rows == (("50016", "50750", "50C01"),)


def test_wrong_lines_are_named_and_left_out() -> None:
    table = read_table(KINDS["cim10"], "code\nI21.9\nnothing\n\n;\ni10\nI10\n")

    assert table.rows == (("I10",), ("I219",))
    assert table.problems == (Problem(3, "code", "malformed"),)


def test_the_same_key_with_another_content_is_a_problem_and_the_first_stands() -> None:
    table = read_table(KINDS["natures"], "code;nature\n3400930000120;3311\n3400930000120;3313\n3400930000120;3311\n")

    assert table.rows == (("3400930000120", "3311"),)
    assert table.problems == (Problem(3, "code", "twice"),)


@pytest.mark.parametrize("text", ["", "foo;bar\n1;2\n", "nature\n3311\n"])
def test_a_table_without_its_header_has_no_line(text: str) -> None:
    table = read_table(KINDS["natures"], text)

    assert table.rows == ()
    assert {one.code for one in table.problems} == {"missing"}


def test_the_kept_text_is_read_back_as_the_same_table() -> None:
    text = "ucd;since;until;content;unit\n9234567;01/03/2022;;100;mg\n3400892345673;2020-01-01;2021-12-31;;\n"
    table = read_table(KINDS["liste-en-sus"], text)

    assert table.problems == ()
    assert read_table(KINDS["liste-en-sus"], written(table)) == table
    assert reference([table]).expensive == {
        "3400892345673": (
            Listed(date(2020, 1, 1), date(2021, 12, 31)),
            Listed(date(2022, 3, 1), None, 100.0, "mg"),
        )
    }


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("3400930000120", "3400930000120"), ("9234567", "3400892345673"), ("0000009234567", "3400892345673")],
)
def test_presentations_of_every_form_are_thirteen_digits(sent: str, kept: str) -> None:
    assert read_table(KINDS["ucd-atc"], f"ucd;atc\n{sent};L01XC02\n").rows == ((kept, "L01XC02"),)


def test_the_tables_together_are_what_the_conversion_sees() -> None:
    found = reference(
        [
            read_table(KINDS["cim10"], "code\nI219\n"),
            read_table(KINDS["pmsi-geography"], "insee;postal;code\n50016;50750;50C01\n;75013;75013\n"),
            read_table(KINDS["legal-finess"], "geographic;legal\n750100125;750712184\n"),
            read_table(KINDS["ir-pha-r"], "PHA_CIP_C13;PHA_ATC_CLA\n3400930000120;B01AC06\n3400930000137;\n"),
        ]
    )

    assert found.nomenclatures == {"cim10": {"I219"}}
    assert found.geographic_codes == {"50016": "50C01", "50750": "50C01", "75013": "75013"}
    assert found.legal_entities == {"750100125": "750712184"}
    assert found.atc == {"3400930000120": "B01AC06"}
    assert reference([]) == NO_REFERENCE


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "file", "least"),
    [("cim10", "MS_CIM_V.csv", 19_000), ("ccam", "IR_CCAM_V63.csv", 8_000), ("ir-pha-r", "IR_PHA_R_subset.csv", 8_150)],
)
def test_official_files_load_as_they_are(shared: Path, name: str, file: str, least: int) -> None:
    table = read_table(KINDS[name], (shared / "snds" / "nomenclatures" / file).read_text(encoding="utf-8"))

    assert len(table.rows) >= least
    assert len(table.problems) <= 6
