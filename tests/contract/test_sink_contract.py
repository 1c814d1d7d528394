"""One contract for every table store: whole persons replaced, in one transaction, as often as one likes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fhir_profiles.errors import Misconfigured
from streaming.duckdb_sink import DuckDbSink
from streaming.layout import timeless_tables
from streaming.sink import Change
from tests.support.made_events import FINESS, row


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[DuckDbSink]:
    store = DuckDbSink(tmp_path / "tables.duckdb")
    yield store
    store.close()


def acts(*codes: str) -> tuple[tuple[object, ...], ...]:
    return tuple(row("T_MCOaaA", ETA_NUM=FINESS, CDC_ACT=code) for code in codes)


def change(owner: int, *codes: str, removed: tuple[int, ...] = ()) -> Change:
    return Change({"T_MCO24A": removed} if removed else {}, {"T_MCO24A": [(owner, one) for one in acts(*codes)]})


def codes(sink: DuckDbSink) -> list[str]:
    return [code for (code,) in sink.query("SELECT CDC_ACT FROM T_MCO24A ORDER BY 1")]


def test_the_rows_of_one_person_are_replaced_and_no_other(sink: DuckDbSink) -> None:
    sink.apply(change(1, "DEQP003", "DDAF007"))
    sink.apply(change(2, "HEQE002"))

    sink.apply(change(1, "GELD004", removed=(1,)))

    assert codes(sink) == ["GELD004", "HEQE002"]


def test_applying_a_replacement_twice_gives_the_same_rows(sink: DuckDbSink) -> None:
    again = change(1, "DEQP003", removed=(1,))

    sink.apply(again)
    sink.apply(again)

    assert codes(sink) == ["DEQP003"]


def test_removing_from_a_table_that_never_was_is_nothing(sink: DuckDbSink) -> None:
    sink.apply(Change({"T_MCO19B": [1]}, {}))

    assert sink.published_tables() == timeless_tables()


def test_a_change_that_fails_leaves_everything_as_it_was(sink: DuckDbSink) -> None:
    sink.apply(change(1, "DEQP003"))
    number = sink.change_number()
    wrong = Change(
        {"T_MCO24A": [1]}, {"T_MCO24A": [(1, acts("X")[0])], "T_MCO24B": [(1, row("T_MCOaaB", SEJ_NBJ="text"))]}
    )

    with pytest.raises(ValueError, match="text"):
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


def test_one_process_writes_at_a_time(sink: DuckDbSink, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="writer-running"):
        DuckDbSink(tmp_path / "tables.duckdb")
