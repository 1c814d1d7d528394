"""One contract for every table store: whole persons replaced, in one transaction, as often as one likes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from fhir_profiles.errors import Misconfigured
from streaming.digest import digest
from streaming.duckdb_sink import DuckDbSink
from streaming.layout import timeless_tables
from streaming.postgres import PostgresEngine
from streaming.postgres_sink import PostgresSink
from streaming.sink import Change, RefusedRows, Sink
from tests.support.made_events import FINESS, row


@pytest.fixture(params=["duckdb", pytest.param("postgresql", marks=pytest.mark.slow)])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sink]:
    if request.param == "postgresql":
        engine = PostgresEngine(request.getfixturevalue("postgres"))
        yield PostgresSink(engine)
        engine.close()
    else:
        store = DuckDbSink(tmp_path / "tables.duckdb")
        yield store
        store.close()


def acts(*codes: str) -> tuple[tuple[object, ...], ...]:
    return tuple(row("T_MCOaaA", ETA_NUM=FINESS, CDC_ACT=code) for code in codes)


def change(owner: int, *codes: str, removed: tuple[int, ...] = ()) -> Change:
    return Change({"T_MCO24A": removed} if removed else {}, {"T_MCO24A": [(owner, one) for one in acts(*codes)]})


def codes(sink: Sink) -> list[str]:
    return [code for (code,) in sink.query("SELECT CDC_ACT FROM T_MCO24A ORDER BY 1")]


def test_the_rows_of_one_person_are_replaced_and_no_other(sink: Sink) -> None:
    sink.apply(change(1, "DEQP003", "DDAF007"))
    sink.apply(change(2, "HEQE002"))

    sink.apply(change(1, "GELD004", removed=(1,)))

    assert codes(sink) == ["GELD004", "HEQE002"]


def test_applying_a_replacement_twice_gives_the_same_rows(sink: Sink) -> None:
    again = change(1, "DEQP003", removed=(1,))

    sink.apply(again)
    sink.apply(again)

    assert codes(sink) == ["DEQP003"]


def test_removing_from_a_table_that_never_was_is_nothing(sink: Sink) -> None:
    sink.apply(Change({"T_MCO19B": [1]}, {}))

    assert sink.published_tables() == timeless_tables()


def test_a_change_that_fails_leaves_everything_as_it_was(sink: Sink) -> None:
    sink.apply(change(1, "DEQP003"))
    number = sink.change_number()
    wrong = Change(
        {"T_MCO24A": [1]}, {"T_MCO24A": [(1, acts("X")[0])], "T_MCO24B": [(1, row("T_MCOaaB", SEJ_NBJ="text"))]}
    )

    with pytest.raises(RefusedRows):
        sink.apply(wrong)

    assert (codes(sink), sink.change_number()) == (["DEQP003"], number)


def test_what_changed_stays_marked_until_it_is_published_across_a_restart(tmp_path: Path) -> None:
    store = DuckDbSink(tmp_path / "tables.duckdb")
    store.apply(change(1, "DEQP003"))
    store.close()

    again = DuckDbSink(tmp_path / "tables.duckdb")
    marked = again.unpublished()
    again.mark_published(marked)
    left = again.unpublished()
    again.close()

    assert (marked, left) == ({"T_MCO24A"}, frozenset())


def test_a_writer_that_died_between_a_table_and_its_view_is_caught_up_at_start(tmp_path: Path) -> None:
    DuckDbSink(tmp_path / "tables.duckdb").close()
    with duckdb.connect(str(tmp_path / "tables.duckdb")) as left:
        left.execute("DROP VIEW main.IR_BEN_R")

    sink = DuckDbSink(tmp_path / "tables.duckdb")
    sink.export("IR_BEN_R", tmp_path / "IR_BEN_R.parquet", about={})
    sink.close()

    assert (tmp_path / "IR_BEN_R.parquet").is_file()


def test_one_process_writes_a_file_at_a_time(tmp_path: Path) -> None:
    store = DuckDbSink(tmp_path / "tables.duckdb")

    with pytest.raises(Misconfigured, match="writer-running"):
        DuckDbSink(tmp_path / "tables.duckdb")
    store.close()


def test_every_type_of_column_is_kept_as_it_is(sink: Sink) -> None:
    numbers = row("ER_PRS_F", PRS_PAI_MNT=12.5, PRS_ACT_QTE=3, EXE_SOI_DTD=date(2024, 3, 1), BEN_NIR_PSA="A" * 17)

    sink.apply(Change({}, {"ER_PRS_F": [(1, numbers)]}))

    query = "SELECT PRS_PAI_MNT, PRS_ACT_QTE, EXE_SOI_DTD, BEN_NIR_PSA, PRS_NAT_REF FROM ER_PRS_F"
    [(amount, *others)] = sink.query(query)
    assert float(amount) == 12.5
    assert others == [3, date(2024, 3, 1), "A" * 17, None]


def test_the_digest_depends_on_the_rows_alone_and_not_on_the_store(sink: Sink, tmp_path: Path) -> None:
    other = DuckDbSink(tmp_path / "other.duckdb")
    two = change(1, "DEQP003", "DDAF007")
    amounts = Change({}, {"ER_PRS_F": [(2, row("ER_PRS_F", PRS_PAI_MNT=0.1, EXE_SOI_DTD=date(2024, 3, 1)))]})

    sink.apply(two)
    sink.apply(amounts)
    other.apply(amounts)
    other.apply(change(3, "DDAF007"))
    different = digest(other)
    other.apply(change(1, "DEQP003"))

    assert digest(sink) == digest(other) != different
    other.close()


def test_hospitals_that_know_one_beneficiary_give_one_row(sink: Sink) -> None:
    early = row("IR_BEN_R", BEN_NIR_PSA="P", BEN_RNG_GEM=1, BEN_DTE_MAJ=date(2023, 1, 1), BEN_RES_DPT="069")
    late = row("IR_BEN_R", BEN_NIR_PSA="P", BEN_RNG_GEM=1, BEN_DTE_MAJ=date(2024, 1, 1), BEN_RES_DPT="075")

    sink.apply(Change({}, {"IR_BEN_R": [(1, early), (2, late)]}))

    assert sink.query("SELECT BEN_DTE_MAJ, BEN_RES_DPT FROM IR_BEN_R") == [(date(2024, 1, 1), "075")]
