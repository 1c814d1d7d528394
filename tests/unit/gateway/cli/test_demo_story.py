"""What the demonstration shows: small cells masked, every chapter found, the query as analysts write it."""

from __future__ import annotations

import itertools

import duckdb

from gateway.cli.demo_story import CHAPTERS, chapters_by_sex, masked
from gateway.cli.server_process import free_port


def test_cells_under_eleven_are_never_shown() -> None:
    assert [masked(number) for number in (None, 0, 11, 1234)] == ["< 11", "< 11", "11", "1\u202f234"]


def test_stays_are_counted_by_chapter_and_sex_over_all_years() -> None:
    with duckdb.connect() as lake:
        for year, codes in (("22", ["I501", "Z491"]), ("24", ["I2140", "U071", "T981", "D48", "D50"])):
            values = ", ".join(f"('E', '{number}', '{code}', '2', 'XXXXXX')" for number, code in enumerate(codes))
            lake.execute(
                f"CREATE TABLE T_MCO{year}B AS FROM (VALUES {values}) v(ETA_NUM, RSA_NUM, DGN_PAL, COD_SEX, GRG_GHM)"
            )
            lake.execute(
                f"CREATE TABLE T_MCO{year}C AS SELECT ETA_NUM, RSA_NUM, '0' NIR_RET, '0' NAI_RET, '0' SEX_RET"
                f" FROM T_MCO{year}B"
            )

        rows = lake.execute(chapters_by_sex(["T_MCO22B", "T_MCO22C", "T_MCO24B", "IR_BEN_R"])).fetchall()

    assert rows == [("IX", 0, 2), ("II", 0, 1), ("III", 0, 1), ("XIX", 0, 1), ("XXI", 0, 1), ("XXII", 0, 1)]


def test_chapters_do_not_overlap() -> None:
    bounds = sorted((first, last) for _, first, last, _ in CHAPTERS)

    assert all(last < following for (_, last), (following, _) in itertools.pairwise(bounds))


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert free_port(port) != port
