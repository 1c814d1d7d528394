"""The lake: readers see one publication or the next, whole, and never an error."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from streaming.digest import digest
from streaming.duckdb_sink import DuckDbSink
from streaming.lake import Lake
from streaming.sink import Change
from tests.support.made_events import FINESS, condition, encounter, event, log_of, patient, row, written

FIRST = event(patient(), encounter(nights=4), condition("c1", "I10"))


def asked(data_dir: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(data_dir / "lake" / "snds.duckdb"), read_only=True) as lake:
        return lake.execute(query).fetchall()


def files(data_dir: Path) -> dict[str, dict[str, int]]:
    """Return inode numbers: publication → file → inode."""
    return {
        version.name: {path.name: path.stat().st_ino for path in version.glob("*.parquet")}
        for version in (data_dir / "lake" / "v").iterdir()
    }


def test_every_table_of_a_year_and_the_timeless_ones_exist_even_when_empty(tmp_path: Path) -> None:
    written(tmp_path, log_of([FIRST])).close()

    views = {name for (name,) in asked(tmp_path, "SELECT view_name FROM duckdb_views() WHERE NOT internal")}
    types = asked(
        tmp_path, "SELECT column_name, column_type FROM (DESCRIBE IR_BEN_R_ARC) WHERE column_name LIKE 'BEN_D%'"
    )

    assert views >= {
        "IR_BEN_R", "IR_BEN_R_ARC", "T_MCO24A", "T_MCO24B", "T_MCO24C", "T_MCO24D", "T_MCO24E", "T_MCO24UM",
        "T_EDS24SEJ", "T_EDS24BIO", "T_EDS24CST", "T_EDS24ADM", "T_EDS24PRE",
    }  # fmt: skip
    assert asked(tmp_path, "SELECT count(*) FROM T_EDS24BIO") == [(0,)]
    assert dict(types)["BEN_DCD_DTE"] == "DATE"


def test_an_empty_installation_has_a_lake(tmp_path: Path) -> None:
    written(tmp_path, log_of([])).close()

    assert asked(tmp_path, "SELECT count(*) FROM IR_BEN_R") == [(0,)]


def test_official_tables_hold_official_columns_only(tmp_path: Path) -> None:
    written(tmp_path, log_of([FIRST])).close()

    columns = [name for (name,) in asked(tmp_path, "SELECT column_name FROM (DESCRIBE T_MCO24D)")]

    assert columns == ["ASS_DGN", "DGN_ASS_NUM", "ETA_NUM", "RSA_NUM", "RSS_NUM"]


def test_files_that_did_not_change_are_the_same_files(tmp_path: Path) -> None:
    written(tmp_path, log_of([FIRST])).close()
    log = log_of([FIRST, event(condition("c1", "E11"), at=1)])
    other = tmp_path / "b"
    writer = written(other, log_of([FIRST]))
    writer._consumer._records.append(log._records[1])  # type: ignore[attr-defined]

    writer.drain()
    writer.close()
    versions = files(other)
    before, after = (versions[name] for name in sorted(versions, key=int)[-2:])

    assert {name for name in after if after[name] != before.get(name)} == {
        "T_MCO24B.parquet", "T_MCO24D.parquet", "T_MCO24E.parquet",
    }  # fmt: skip


def test_a_reader_that_loops_during_publications_sees_no_error_and_no_orphan(tmp_path: Path) -> None:
    log = log_of([FIRST])
    writer = written(tmp_path, log)
    problems: list[str] = []
    done = threading.Event()
    asked_once = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                [(orphans,)] = asked(
                    tmp_path, "SELECT count(*) FROM T_MCO24D d ANTI JOIN T_MCO24B b USING (ETA_NUM, RSA_NUM)"
                )
            except duckdb.Error as error:
                problems.append(str(error))
            else:
                problems.extend(["orphan"] * orphans)
            asked_once.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(12):
            more = event(
                patient(f"p{number}", f"r{number}"),
                encounter(f"e{number}", f"v{number}", person=f"r{number}"),
                condition(f"c{number}", "I10", person=f"r{number}", stay=f"v{number}"),
            )
            log._records.append(type(log._records[0])(0, len(log._records) + 1, more))
            writer.drain()
        assert asked_once.wait(180)
    finally:
        done.set()
        reader.join()
        writer.close()

    assert problems == []


def test_replaced_publications_are_removed_after_their_time_and_not_before(tmp_path: Path) -> None:
    log = log_of([FIRST])
    writer = written(tmp_path, log)
    log._records.append(type(log._records[0])(0, 2, event(condition("c2", "J80"), at=1)))
    writer.drain()
    lake = Lake(tmp_path / "lake")

    lake.sweep()
    kept = set(files(tmp_path))
    lake.sweep(keep_s=-1)
    left = set(files(tmp_path))
    writer.close()

    assert len(kept) >= 2
    assert left == {max(kept, key=int)}
    assert asked(tmp_path, "SELECT count(*) FROM T_MCO24D") == [(2,)]


def test_a_publication_waits_ten_times_the_last_one_took(tmp_path: Path) -> None:
    now = [100.0]

    class Slow:
        owners_a_part = 1

        def parts(self, table: str) -> tuple[int, ...]:
            raise AssertionError(table)

        def changed_parts(self, table: str) -> frozenset[int] | None:
            raise AssertionError(table)

        def change_number(self) -> int:
            return 1

        def unpublished(self) -> frozenset[str]:
            return frozenset()

        def published_tables(self) -> tuple[str, ...]:
            return ()

        def mark_published(self, _: frozenset[str]) -> None:
            now[0] += 3.0

        def export(self, table: str, path: Path, *, part: int = 0, about: Mapping[str, str]) -> None:
            raise AssertionError((table, path, part, about))

    lake = Lake(tmp_path, clock=lambda: now[0])
    assert lake.due()

    lake.publish(Slow())

    assert not lake.due()
    now[0] += 29.9
    assert not lake.due()
    now[0] += 0.2
    assert lake.due()
    assert not lake.due(behind=True)
    now[0] += 60.0
    assert lake.due(behind=True)


def test_two_hospitals_that_know_one_beneficiary_give_one_row(tmp_path: Path) -> None:
    from datetime import date

    from tests.support.made_events import OTHER, rules
    from transformers.snds.view import PersonRows, PersonView

    def beneficiary(view: PersonView, **options: Any) -> PersonRows:
        here = view.finess == OTHER
        same = {"BEN_NIR_PSA": "A" * 17, "BEN_RNG_GEM": 1, "BEN_IDT_TOP": 1, "BEN_IDT_ANO": "B" * 17}
        seen = date(2024, 5, 1) if here else date(2023, 2, 1)
        dates = dict.fromkeys(("BEN_DTE_INS", "BEN_DTE_MAJ", "MAX_TRT_DTD", "BEN_IDT_MAJ"), seen)
        death = {"BEN_DCD_DTE": date(1600, 1, 1), "BEN_DCD_AME": "160001"}
        if not here:
            death = {"BEN_DCD_DTE": date(2024, 6, 1), "BEN_DCD_AME": "202406"}
        given = row("IR_BEN_R", **same, **dates, **death, BEN_RES_DPT="075" if here else "069")
        return PersonRows((), {"IR_BEN_R": (given,)})

    log = log_of([event(patient()), event(patient(), finess=OTHER)])
    writer = written(tmp_path, log, rules=rules(convert=beneficiary))
    writer.close()

    assert asked(
        tmp_path,
        "SELECT BEN_NIR_PSA, BEN_RES_DPT, BEN_DTE_INS, BEN_DTE_MAJ, MAX_TRT_DTD, BEN_DCD_DTE, BEN_DCD_AME"
        " FROM IR_BEN_R",
    ) == [("A" * 17, "075", date(2023, 2, 1), date(2024, 5, 1), date(2024, 5, 1), date(2024, 6, 1), "202406")]


@pytest.mark.parametrize("name", ["data", 'it\'s a "folder"'])
def test_any_folder_name_works(tmp_path: Path, name: str) -> None:
    writer = written(tmp_path / name, log_of([FIRST]))
    expected = digest(writer.sink)
    writer.close()

    assert digest(tmp_path / name) == expected != ""


def test_a_file_says_what_it_was_made_from(tmp_path: Path) -> None:
    log = log_of([event(patient(), encounter())])
    log._records[0].event.headers["rules-version"] = "it's 7"  # type: ignore[index]
    written(tmp_path, log).close()

    [file] = (tmp_path / "lake" / "v").glob("*/T_MCO24B.parquet")
    with duckdb.connect() as reader:
        pairs = reader.execute("SELECT key, value FROM parquet_kv_metadata(?)", [str(file)]).fetchall()
    told = {bytes(name).decode(): bytes(value).decode() for name, value in pairs}

    assert told["table"] == "T_MCO24B"
    assert (told["rules-version"], told["log-position"]) == ("it's 7", "0:1")


def acts(*owners: int, code: str = "DEQP003", removed: tuple[int, ...] = ()) -> Change:
    rows = [(owner, row("T_MCOaaA", ETA_NUM=FINESS, RSA_NUM=f"{owner:010d}", CDC_ACT=code)) for owner in owners]
    return Change({"T_MCO24A": removed}, {"T_MCO24A": rows})


def parted(folder: Path) -> tuple[DuckDbSink, Lake]:
    return DuckDbSink(folder / "tables.duckdb", owners_a_part=2), Lake(folder / "lake")


def last(data_dir: Path, table: str) -> dict[str, int]:
    """Return file → inode of one table in the last publication."""
    versions = files(data_dir)
    return {name: inode for name, inode in versions[max(versions, key=int)].items() if name.startswith(table)}


def test_of_a_table_in_parts_only_those_that_changed_are_written_anew(tmp_path: Path) -> None:
    sink, lake = parted(tmp_path)
    sink.apply(acts(1, 2, 3, 4, 5))
    lake.publish(sink)
    before = last(tmp_path, "T_MCO24A")

    sink.apply(acts(3, code="ZZLP025", removed=(3, 4)))
    lake.publish(sink)
    after = last(tmp_path, "T_MCO24A")
    sink.close()

    assert set(before) == {"T_MCO24A.parquet", "T_MCO24A.1.parquet", "T_MCO24A.2.parquet"}
    assert set(after) == set(before)
    assert {name for name in after if after[name] != before[name]} == {"T_MCO24A.1.parquet", "T_MCO24A.2.parquet"}
    assert asked(tmp_path, "SELECT RSA_NUM::INTEGER, CDC_ACT FROM T_MCO24A ORDER BY 1") == [
        (1, "DEQP003"), (2, "DEQP003"), (3, "ZZLP025"), (5, "DEQP003"),
    ]  # fmt: skip


def test_a_part_without_rows_is_gone_and_an_emptied_table_keeps_its_columns(tmp_path: Path) -> None:
    sink, lake = parted(tmp_path)
    sink.apply(acts(1, 4))
    lake.publish(sink)

    sink.apply(acts(removed=(1,)))
    lake.publish(sink)
    one = last(tmp_path, "T_MCO24A")
    sink.apply(Change({}, {"T_MCO24B": [(4, row("T_MCOaaB", ETA_NUM=FINESS))]}))
    sink.apply(acts(removed=(4,)))
    lake.publish(sink)
    sink.close()

    assert set(one) == {"T_MCO24A.2.parquet"}
    assert set(last(tmp_path, "T_MCO24A")) == {"T_MCO24A.parquet"}
    assert asked(tmp_path, "SELECT count(*), count(CDC_ACT) FROM T_MCO24A") == [(0, 0)]


def test_hidden_persons_leave_every_part(tmp_path: Path) -> None:
    sink, lake = parted(tmp_path)
    sink.apply(acts(1, 3, 5))
    lake.publish(sink)

    sink.hide([1, 5])
    lake.publish(sink)
    sink.close()

    assert asked(tmp_path, "SELECT RSA_NUM::INTEGER FROM T_MCO24A") == [(3,)]


def test_files_that_were_cut_otherwise_are_never_mixed_with_new_ones(tmp_path: Path) -> None:
    sink = DuckDbSink(tmp_path / "tables.duckdb", owners_a_part=100)
    sink.apply(acts(1, 2, 3))
    Lake(tmp_path / "lake").publish(sink)
    sink.close()

    sink, lake = parted(tmp_path)
    sink.apply(acts(9))
    lake.publish(sink)
    sink.close()

    assert asked(tmp_path, "SELECT RSA_NUM::INTEGER FROM T_MCO24A ORDER BY 1") == [(1,), (2,), (3,), (9,)]


def test_tables_of_an_earlier_version_have_no_parts_yet_and_are_published_whole(tmp_path: Path) -> None:
    sink, lake = parted(tmp_path)
    sink.apply(acts(1, 3))
    lake.publish(sink)
    sink.close()
    with duckdb.connect(str(tmp_path / "tables.duckdb")) as old:
        old.execute("ALTER TABLE marks.unpublished DROP COLUMN part")
        old.execute("INSERT INTO marks.unpublished VALUES ('T_MCO24A')")
        old.execute("UPDATE rows.T_MCO24A SET CDC_ACT = 'ZZLP025'")

    sink, lake = parted(tmp_path)
    lake.publish(sink)
    sink.close()

    assert asked(tmp_path, "SELECT DISTINCT CDC_ACT FROM T_MCO24A") == [("ZZLP025",)]
