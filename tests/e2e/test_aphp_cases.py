"""Real cases of a university hospital, posted over HTTP, read in the lake (issue A, table of results)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.support import aphp
from tests.support.installation import Installation

pytestmark = [pytest.mark.shared, pytest.mark.slow]

STAYS = {
    # DGN_PAL: table year, entry, exit, nights, age, sex, associated, acts, exit mode, emergency passage
    "I219": ("24", date(2024, 1, 10), date(2024, 1, 14), 4, 38, "2", ["E780"], ["DDAF007", "DEQP003"], "8", "5"),
    "K25": ("24", date(2024, 1, 8), date(2024, 1, 10), 2, 53, "1", ["Z872"], ["HEQE002"], "8", "5"),
    "R570": (
        "23", date(2023, 11, 5), date(2023, 11, 7), 2, 47, "1", ["E11", "I21", "J80"], ["DDQH012", "GELD004"], "9", "5"
    ),
    "I251": ("24", date(2024, 1, 5), date(2024, 1, 7), 2, 58, "1", ["I10"], ["DDQH009", "DEQP003"], "8", None),
    "S721": ("24", date(2024, 1, 11), date(2024, 1, 14), 3, 31, "1", [], ["NBCA008"], "8", "5"),
}  # fmt: skip


@pytest.fixture(scope="module")
def posted(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The five batches posted twice to a real gateway, with every answer kept."""
    home = tmp_path_factory.mktemp("aphp") / "data"
    installation = Installation(home, "--french-profiles", "declared")
    with installation.serving():
        bundles = [aphp.batch(aphp.resources(shared, case)) for case in aphp.CASES]
        first = [installation.post(bundle) for bundle in bundles]
        accounts = installation.wait_idle()
        rows = digest(installation)
        second = [installation.post(bundle) for bundle in reversed(bundles)]
        again = installation.wait_idle()
        yield {
            "installation": installation,
            "first": first,
            "second": second[::-1],
            "accounts": accounts,
            "again": again,
            "rows": rows,
            "rows_again": digest(installation),
        }


def digest(installation: Installation) -> dict[str, list[tuple[Any, ...]]]:
    tables = [
        name for (name,) in installation.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1")
    ]
    return {table: sorted(installation.sql(f'SELECT * FROM "{table}"'), key=repr) for table in tables}


def test_of_83_resources_exactly_22_are_refused_because_they_are_not_r4(posted: dict[str, Any]) -> None:
    entries = [entry["response"] for answer in posted["first"] for entry in answer.json()["entry"]]
    refused = [entry for entry in entries if not entry["status"].startswith("202")]

    assert all(answer.status_code == 200 for answer in posted["first"])
    assert (len(entries), len(refused)) == (83, 22)
    assert all(entry["status"].startswith("422") for entry in refused)
    assert (posted["accounts"]["received"], posted["accounts"]["refused"]) == (83, 22)
    assert posted["accounts"]["published"] == 61


def test_the_repair_of_an_r5_encounter_says_context(posted: dict[str, Any]) -> None:
    refused = [
        entry["response"]["outcome"]
        for answer in posted["first"]
        for entry in answer.json()["entry"]
        if not entry["response"]["status"].startswith("202")
    ]

    assert sum("context" in str(outcome) for outcome in refused) == 18


@pytest.mark.parametrize("principal", STAYS)
def test_a_case_gives_the_stay_that_its_clinicians_described(posted: dict[str, Any], principal: str) -> None:
    year, entry, exit_, nights, age, sex, associated, acts, exit_mode, emergency = STAYS[principal]
    ask = posted["installation"].sql

    [(number, *stay)] = ask(
        f"SELECT b.RSA_NUM, c.EXE_SOI_DTD, c.EXE_SOI_DTF, b.SEJ_NBJ, b.AGE_ANN, b.COD_SEX, b.ENT_MOD, b.SOR_MOD,"
        f" s.SEJ_PAS_URG, s.FLG_NIR_CLE, c.ENT_DAT FROM T_MCO{year}B b JOIN T_MCO{year}C c USING (ETA_NUM, RSA_NUM)"
        f" JOIN T_EDS{year}SEJ s USING (ETA_NUM, RSA_NUM) WHERE b.DGN_PAL = '{principal}' AND b.ETA_NUM = '750712184'"
    )

    assert stay == [
        entry, exit_, nights, age, sex, "8", exit_mode, emergency, "1", entry.strftime("%d%m%Y"),
    ]  # fmt: skip
    assert sorted(code for (code,) in ask(f"SELECT ASS_DGN FROM T_MCO{year}D WHERE RSA_NUM = '{number}'")) == associated
    assert sorted(code for (code,) in ask(f"SELECT CDC_ACT FROM T_MCO{year}A WHERE RSA_NUM = '{number}'")) == acts


def test_the_filter_of_snds_programs_returns_the_five_stays(posted: dict[str, Any]) -> None:
    returns = " AND ".join(
        f"c.{name} = '0'"
        for name in (
            "NIR_RET",
            "NAI_RET",
            "SEX_RET",
            "SEJ_RET",
            "FHO_RET",
            "PMS_RET",
            "DAT_RET",
            "COH_NAI_RET",
            "COH_SEX_RET",
        )
    )
    found = [
        posted["installation"].sql(
            f"SELECT count(*), count(DISTINCT c.NIR_ANO_17) FROM T_MCO{year}B b"
            f" JOIN T_MCO{year}C c USING (ETA_NUM, RSA_NUM) WHERE b.GRG_GHM NOT LIKE '%90%' AND {returns}"
        )[0]
        for year in ("23", "24")
    ]

    assert found == [(1, 1), (4, 4)]


def test_three_icd_11_codes_are_left_out_and_counted(posted: dict[str, Any]) -> None:
    assert posted["installation"].sql("SELECT FLG_COD_REJ FROM T_EDS23SEJ") == [(3,)]


def test_a_result_dated_after_the_exit_is_kept_and_counted(posted: dict[str, Any]) -> None:
    ask = posted["installation"].sql

    assert ask("SELECT sum(FLG_DAT_HOR) FROM T_EDS24SEJ") == [(1,)]
    assert ask("SELECT BIO_UNI_STD FROM T_EDS24BIO WHERE BIO_LOI_COD = '6690-2'") == [("10*9/L",)]


def test_clinical_rows_are_complete(posted: dict[str, Any]) -> None:
    counts = {
        table: sum(
            len(rows) for name, rows in posted["rows"].items() if name.startswith("T_EDS") and name.endswith(table)
        )
        for table in ("BIO", "CST", "PRE", "ADM")
    }

    assert counts == {"BIO": 9, "CST": 10, "PRE": 14, "ADM": 0}


def test_five_persons_have_five_pseudonyms(posted: dict[str, Any]) -> None:
    [(persons,)] = posted["installation"].sql("SELECT count(DISTINCT BEN_NIR_PSA) FROM IR_BEN_R")

    assert persons == 5


def test_sending_everything_twice_changes_no_row_and_gives_the_same_receipts(posted: dict[str, Any]) -> None:
    receipts = [[answer.headers["Gateway-Receipt"] for answer in posted[which]] for which in ("first", "second")]

    assert receipts[0] == receipts[1]
    assert len(set(receipts[0])) == 5
    assert posted["rows"] == posted["rows_again"]
    assert posted["again"]["duplicates"] == posted["accounts"]["events"]


def test_the_accounts_close(posted: dict[str, Any]) -> None:
    for accounts in (posted["accounts"], posted["again"]):
        assert accounts["received"] == accounts["published"] + accounts["refused"] + accounts["suppressed"]
        assert accounts["events"] == accounts["applied"] + accounts["duplicates"] + accounts["dead_letters"]
        assert accounts["lag"] == 0
        assert accounts["stays"] == {"open": 0, "written": 5, "quarantined": 0, "suppressed": 0}


def test_no_identity_stands_anywhere_but_in_the_bundles(posted: dict[str, Any], shared: Path) -> None:
    needles = [value.encode() for value in sorted(aphp.identifying(shared))]
    outputs = [(str(path.name), content) for path, content in posted["installation"].every_byte()]
    outputs += [(f"answer {number}", answer.content) for number, answer in enumerate(posted["first"])]
    outputs += [("lake", repr(posted["rows"]).encode())]

    assert len(needles) > 150
    assert [(name, needle) for name, content in outputs for needle in needles if needle in content] == []
