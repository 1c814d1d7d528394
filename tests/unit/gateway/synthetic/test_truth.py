"""The truth in the manifest is what the tables say of the stays that were planted."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.synthetic.writing import MANIFEST, write_stays
from tests.support.deidentified import Numbers
from tests.support.synthetic_hospital import HOSPITAL, contract, hospital
from transformers.deidentify.pseudonyms import Key, TableKeys
from transformers.snds.person import person_rows
from transformers.snds.schema import TABLES

SEED, STAYS = 6, 120


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("generated")
    write_stays(folder, seed=SEED, stays=STAYS, hospital=HOSPITAL)
    manifest: dict[str, Any] = orjson.loads((folder / MANIFEST).read_bytes())
    return dict(manifest["truth"])


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    numbers, keys = Numbers(), TableKeys(Key(b"t" * 32))
    for view in hospital(SEED, STAYS)[1]:
        for name, table in person_rows(view, contract=contract(), pseudonyms=keys, numbers=numbers).tables.items():
            generic = re.sub(r"^(T_[A-Z]{3})\d\d", r"\1aa", name)
            found[generic] += [dict(zip(TABLES[generic].names, row, strict=True)) for row in table]
    return found


def test_the_counts_are_those_of_the_tables(truth: dict[str, Any], rows: dict[str, list[dict[str, Any]]]) -> None:
    stays = rows["T_MCOaaB"]

    assert {name: truth[name] for name in ("stays", "sessions", "nights", "units", "deaths", "births")} == {
        "stays": len(stays),
        "sessions": sum(row["NBR_SEA"] for row in stays),
        "nights": sum(row["SEJ_NBJ"] or 0 for row in stays),
        "units": len(rows["T_MCOaaUM"]),
        "deaths": sum(row["SOR_MOD"] == "9" for row in stays),
        "births": sum(row["ENT_MOD"] == "N" for row in stays),
    }
    assert truth["emergency_admissions"] == sum(row["SEJ_PAS_URG"] == "5" for row in rows["T_EDSaaSEJ"])


def test_months_and_codes_are_those_of_the_tables(truth: dict[str, Any], rows: dict[str, list[dict[str, Any]]]) -> None:
    months = Counter(f"{row['SOR_ANN']}-{row['SOR_MOI']}" for row in rows["T_MCOaaB"])
    acts: Counter[str] = Counter()
    for row in rows["T_MCOaaA"]:
        acts[row["CDC_ACT"]] += row["NBR_EXE_ACT"]

    assert {month: counted["stays"] for month, counted in truth["months"].items()} == months
    assert truth["principal_diagnoses"] == Counter(row["DGN_PAL"] for row in rows["T_MCOaaB"])
    assert truth["associated_diagnoses"] == Counter(row["ASS_DGN"] for row in rows["T_MCOaaD"])
    assert truth["acts"] == acts
