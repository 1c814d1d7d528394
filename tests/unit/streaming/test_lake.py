"""The lake: readers see one publication or the next, whole, and never an error."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from streaming.digest import digest
from streaming.lake import Lake
from tests.support.made_events import condition, encounter, event, log_of, patient, written

FIRST = event(patient(), encounter(nights=4), condition("c1", "I10"))


def asked(data_dir: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(data_dir / "lake" / "snds.duckdb"), read_only=True) as lake:
        return lake.execute(query).fetchall()


def files(data_dir: Path) -> dict[str, dict[str, int]]:
    """Return inode numbers: publication → file → inode."""
    return {
        version.name: {path.name: path.stat().st_ino for path in version.iterdir()}
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
        assert asked_once.wait(30)
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
        def change_number(self) -> int:
            return 1

        def unpublished(self) -> frozenset[str]:
            return frozenset()

        def published_tables(self) -> tuple[str, ...]:
            return ()

        def mark_published(self, _: frozenset[str]) -> None:
            now[0] += 3.0

        def export(self, table: str, path: Path, *, about: Mapping[str, str]) -> None:
            raise AssertionError((table, path, about))

    lake = Lake(tmp_path, clock=lambda: now[0])
    assert lake.due()

    lake.publish(Slow())

    assert not lake.due()
    now[0] += 29.9
    assert not lake.due()
    now[0] += 0.2
    assert lake.due()


def test_two_hospitals_that_know_one_beneficiary_give_one_row(tmp_path: Path) -> None:
    from datetime import date

    from tests.support.made_events import OTHER, row, rules
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
