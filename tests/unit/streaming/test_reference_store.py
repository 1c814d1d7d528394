"""Operator's tables are kept whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from fhir_profiles.errors import Misconfigured
from streaming.reference_store import held, load, read_reference
from tests.support.small_lake import publish, reading, stay, stays
from transformers.snds.reference import NO_REFERENCE
from transformers.snds.reference_kinds import KINDS


def test_a_loaded_table_is_what_the_writer_reads(tmp_path: Path) -> None:
    source = tmp_path / "export.csv"
    source.write_bytes("CIM_COD;CIM_LIC\nI219;Infarctus aigu, précisé\nwrong;x\n".encode("cp1252"))

    table = load(tmp_path / "data", "cim10", source)

    assert (len(table.rows), len(table.problems)) == (1, 1)
    assert read_reference(tmp_path / "data").nomenclatures == {"cim10": {"I219"}}


def test_nothing_loaded_is_the_documented_fallback(tmp_path: Path) -> None:
    assert read_reference(tmp_path) == NO_REFERENCE
    assert [(one.kind.name, one.table) for one in held(tmp_path)] == [(name, None) for name in KINDS]
    assert all(one.kind.fallback for one in held(tmp_path))


def test_a_file_that_is_no_such_table_replaces_nothing(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("code\nDEQP003\n")
    bad.write_text("name\nsomething\n")
    load(tmp_path, "ccam", good)

    with pytest.raises(Misconfigured, match="reference-refused"):
        load(tmp_path, "ccam", bad)
    with pytest.raises(Misconfigured, match="reference-unknown"):
        load(tmp_path, "horoscope", good)

    assert read_reference(tmp_path).nomenclatures == {"ccam": {"DEQP003"}}


def test_a_held_table_that_was_damaged_is_refused_with_its_line(tmp_path: Path) -> None:
    source = tmp_path / "ccam.csv"
    source.write_text("code\nDEQP003\n")
    load(tmp_path, "ccam", source)
    (tmp_path / "reference" / "ccam.csv").write_text("code\nDEQP003\n<html>\n")

    with pytest.raises(Misconfigured, match="line 3"):
        read_reference(tmp_path)


def test_the_same_content_has_the_same_digest_whatever_its_form(tmp_path: Path) -> None:
    digests = []
    for text in ("code\nDEQP003\nAHQP001\n", "CDC_ACT;x\nahqp001;1\nDEQP003;2\n"):
        source = tmp_path / "source.csv"
        source.write_text(text)
        load(tmp_path, "ccam", source)
        digests.append(next(one.digest for one in held(tmp_path) if one.kind.name == "ccam"))

    assert digests[0] == digests[1] != ""


def test_the_drug_table_is_published_beside_the_rows_in_its_official_types(tmp_path: Path) -> None:
    source = tmp_path / "ir_pha_r.csv"
    source.write_text(
        "PHA_CIP_C13;PHA_ATC_CLA;PHA_PRS_IDE;PHA_NOM_COURT\n3400930000120;B01AC06;3000012;X 5 MG, 30 CP\n"
    )
    load(tmp_path, "ir-pha-r", source)
    publish(tmp_path, stays(stay(1)))

    with reading(tmp_path) as lake:
        rows = lake.execute("SELECT PHA_CIP_C13, PHA_ATC_CLA, PHA_PRS_IDE, PHA_ATC_LIB FROM IR_PHA_R").fetchall()
        types = lake.execute("SELECT typeof(PHA_CIP_C13), typeof(PHA_PRS_IDE) FROM IR_PHA_R").fetchall()

    assert rows == [(3400930000120, "B01AC06", 3000012, None)]
    assert types == [("BIGINT", "INTEGER")]
