"""Questions of the literature and the queries of sndsTools, asked of a published lake: they find what was planted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import duckdb
import pytest

from gateway.synthetic.bundles import stay_bundle
from gateway.synthetic.plan import Stay
from gateway.synthetic.scene import Hospital
from streaming.duckdb_sink import DuckDbSink
from streaming.lake import Lake
from streaming.sink import Change
from tests.support.deidentified import Numbers
from tests.support.small_lake import reading
from tests.support.synthetic_hospital import HOSPITAL, contract, hospital, views_of
from transformers.deidentify.pseudonyms import Key, TableKeys
from transformers.snds.person import person_rows

pytestmark = pytest.mark.slow

SEED, STAYS = 5, 400
OTHER = Hospital("690781810")
YEARS = (22, 23, 24, 25)
GAP = timedelta(days=9)
NO_STAY = frozenset({"open", "cancelled", "visit"})
RETURNS = ("NIR_RET", "NAI_RET", "SEX_RET", "SEJ_RET", "FHO_RET", "PMS_RET", "DAT_RET", "COH_NAI_RET", "COH_SEX_RET")
# as sndsTools writes it: digits compared with a number, groups in error left out
SELECTED = " AND ".join(f"{name} = 0" for name in RETURNS) + " AND NOT (GRG_GHM LIKE '%90%')"

STAYS_MCOB = f"""
WITH bc AS (
    SELECT DISTINCT
        B.ETA_NUM, B.RSA_NUM, SEJ_NUM, SEJ_NBJ, NBR_DGN, NBR_RUM, NBR_ACT, ENT_MOD, ENT_PRV, SOR_MOD, SOR_DES, DGN_PAL,
        DGN_REL, GRG_GHM, BDI_DEP, BDI_COD, COD_SEX, AGE_ANN, AGE_JOU, NIR_ANO_17, EXE_SOI_DTD, EXE_SOI_DTF
    FROM T_MCO{{y}}B B INNER JOIN T_MCO{{y}}C C ON B.ETA_NUM = C.ETA_NUM AND B.RSA_NUM = C.RSA_NUM
    WHERE EXE_SOI_DTD >= DATE '2021-01-01' AND EXE_SOI_DTD <= DATE '2026-12-31' AND {SELECTED}
)
SELECT bc.DGN_PAL, EXE_SOI_DTD, list(DISTINCT ASS_DGN) FILTER (ASS_DGN IS NOT NULL)
FROM bc LEFT JOIN T_MCO{{y}}D D ON bc.ETA_NUM = D.ETA_NUM AND bc.RSA_NUM = D.RSA_NUM
GROUP BY bc.ETA_NUM, bc.RSA_NUM, bc.DGN_PAL, EXE_SOI_DTD
"""
CONSULTATIONS = """
SELECT DISTINCT NIR_ANO_17, EXE_SOI_DTD, CCAM_COD, ACT_COD, EXE_SPE
FROM (
    SELECT DISTINCT ETA_NUM, SEQ_NUM, NIR_ANO_17, EXE_SOI_DTD FROM T_MCO{y}CSTC
    WHERE NIR_RET = '0' AND NAI_RET = '0' AND SEX_RET = '0' AND ENT_DAT_RET = '0' AND IAS_RET = '0'
)
LEFT JOIN (SELECT DISTINCT ETA_NUM, SEQ_NUM, CCAM_COD FROM T_MCO{y}FMSTC) USING (ETA_NUM, SEQ_NUM)
LEFT JOIN (SELECT ETA_NUM, SEQ_NUM, ACT_COD, EXE_SPE FROM T_MCO{y}FCSTC) USING (ETA_NUM, SEQ_NUM)
"""


class Asked:
    """The stays planned in two hospitals, and the lake that readers open."""

    def __init__(self, planned: list[Stay], transferred: list[Stay], lake: duckdb.DuckDBPyConnection) -> None:
        self.planned = planned
        self.transferred = transferred
        self._lake = lake

    @property
    def everything(self) -> list[Stay]:
        return [*self.planned, *self.transferred]

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return self._lake.execute(query).fetchall()

    def each_year(self, query: str) -> list[tuple[Any, ...]]:
        return [row for year in YEARS for row in self.ask(query.format(y=year))]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    planned, views = hospital(SEED, STAYS)
    stays = [stay for stay in planned if stay.kind not in NO_STAY]
    later = [moved(stay) for stay in stays if stay.kind == "ordinary"]
    data_dir = tmp_path_factory.mktemp("lake")
    sink = DuckDbSink(data_dir / "tables.duckdb")
    made: dict[str, list[tuple[int, Any]]] = {}
    keys = TableKeys(Key(b"q" * 32))
    elsewhere = contract(OTHER)
    try:
        for agreed, persons in (
            (contract(), views),
            (elsewhere, views_of(later, SEED, with_contract=elsewhere, of=OTHER)),
        ):
            numbers = Numbers()
            for owner, view in enumerate(persons):
                rows = person_rows(view, contract=agreed, pseudonyms=keys, numbers=numbers)
                for name, table in rows.tables.items():
                    made.setdefault(name, []).extend((owner, row) for row in table)
        sink.apply(Change({}, made))
        Lake(data_dir / "lake").publish(sink)
    finally:
        sink.close()
    with reading(data_dir) as connection:
        yield Asked(stays, later, connection)


def moved(stay: Stay) -> Stay:
    """The same person in another hospital, some days after the exit."""
    assert stay.end is not None
    gap = stay.end - stay.start + GAP
    units = tuple(replace(one, start=one.start + gap, end=one.end + gap if one.end else None) for one in stay.units)
    return replace(stay, start=stay.start + gap, end=stay.end + gap, units=units)


def department(stay: Stay) -> str:
    insee = stay.person.home.insee
    overseas = {"971": "9A", "972": "9B", "973": "9C", "974": "9D", "976": "9F"}
    return overseas.get(insee[:3]) or insee[:2]


def test_extract_stays_mcob_returns_every_stay_with_its_diagnoses(asked: Asked) -> None:
    found = asked.each_year(STAYS_MCOB)

    assert Counter((dp, entry, tuple(sorted(das or ()))) for dp, entry, das in found) == Counter(
        (stay.pathway.principal, stay.start.date(), tuple(sorted(set(stay.associated) - {stay.pathway.principal})))
        for stay in asked.everything
    )


def test_incidence_by_principal_diagnosis_and_department(asked: Asked) -> None:
    found = asked.each_year(
        "SELECT DGN_PAL, BDI_DEP, count(DISTINCT NIR_ANO_17) FROM T_MCO{y}B JOIN T_MCO{y}C USING (ETA_NUM, RSA_NUM)"
        " WHERE TYP_GEN_RSA = '0' AND SEJ_TYP IS DISTINCT FROM 'B' AND " + SELECTED + " GROUP BY ALL"
    )

    persons = {
        (stay.end.year, stay.pathway.principal, department(stay), stay.person.number)
        for stay in asked.everything
        if stay.end is not None
    }
    assert sum(number for _, _, number in found) == len(persons)
    assert {(dp, dep) for dp, dep, _ in found} == {(dp, dep) for _, dp, dep, _ in persons}


def test_a_diagnosis_in_any_position(asked: Asked) -> None:
    [code] = Counter(code for stay in asked.planned for code in stay.associated).most_common(1)[0][:1]
    found = asked.each_year(
        f"SELECT ETA_NUM, RSA_NUM FROM T_MCO{{y}}B WHERE DGN_PAL LIKE '{code}%' OR DGN_REL LIKE '{code}%'"
        f" UNION SELECT ETA_NUM, RSA_NUM FROM T_MCO{{y}}UM WHERE DGN_PAL LIKE '{code}%' OR DGN_REL LIKE '{code}%'"
        f" UNION SELECT ETA_NUM, RSA_NUM FROM T_MCO{{y}}D WHERE ASS_DGN LIKE '{code}%'"
    )

    having = [
        stay
        for stay in asked.everything
        if any(one.startswith(code) for one in (stay.pathway.principal, stay.pathway.related or "", *stay.associated))
    ]
    assert len(found) == len(having) > 10


def test_an_act_by_hospital(asked: Asked) -> None:
    [code] = Counter(code.rstrip("+") for stay in asked.transferred for code in stay.pathway.acts).most_common(1)[0][:1]
    found = asked.each_year(
        f"SELECT ETA_NUM, sum(NBR_EXE_ACT) FROM T_MCO{{y}}A WHERE CDC_ACT = '{code}' AND ACV_ACT = '1' GROUP BY 1"
    )

    for finess, stays in (("750712184", asked.planned), (OTHER.finess, asked.transferred)):
        planned = sum(one.rstrip("+") == code for stay in stays for one in stay.pathway.acts)
        assert sum(int(number) for hospital, number in found if hospital == finess) == planned > 0


def test_readmission_at_30_days_across_two_hospitals(asked: Asked) -> None:
    union = " UNION ALL ".join(f"SELECT NIR_ANO_17, ETA_NUM, EXE_SOI_DTD, EXE_SOI_DTF FROM T_MCO{y}C" for y in YEARS)
    found = asked.ask(
        f"WITH c AS ({union}) SELECT count(*) FROM c first JOIN c again USING (NIR_ANO_17)"
        f" WHERE first.ETA_NUM = '750712184' AND again.ETA_NUM = '{OTHER.finess}'"
        " AND again.EXE_SOI_DTD - first.EXE_SOI_DTF BETWEEN 0 AND 30"
    )

    assert found == [(len(asked.transferred),)]


def test_births_are_linked_to_mothers(asked: Asked) -> None:
    found = asked.each_year(
        "SELECT count(*) FROM T_MCO{y}C child JOIN T_MCO{y}B b USING (ETA_NUM, RSA_NUM)"
        " JOIN T_MCO{y}C mother ON mother.ID_MAM_ENF = child.ID_MAM_ENF AND mother.RSA_NUM <> child.RSA_NUM"
        " WHERE b.ENT_MOD = 'N'"
    )

    assert sum(number for (number,) in found) == sum(stay.kind == "newborn" for stay in asked.planned) > 0


def test_deaths_are_known_by_the_exit_mode_and_by_the_beneficiary(asked: Asked) -> None:
    stays = asked.each_year(
        "SELECT NIR_ANO_17 FROM T_MCO{y}B JOIN T_MCO{y}C USING (ETA_NUM, RSA_NUM) WHERE SOR_MOD = '9'"
    )
    persons = asked.ask("SELECT BEN_NIR_PSA FROM IR_BEN_R WHERE BEN_DCD_DTE <> DATE '1600-01-01'")

    dead = {stay.person.number for stay in asked.planned if stay.kind == "death"}
    assert len(stays) == len(dead) > 0
    assert set(persons) == set(stays)


def test_emergency_admissions_in_each_layout(asked: Asked) -> None:
    found = asked.each_year("SELECT count(*) FROM T_EDS{y}SEJ WHERE SEJ_PAS_URG = '5'")
    old = asked.ask("SELECT count(*) FROM T_MCO22B WHERE ENT_MOD = '8' AND ENT_PRV = '5'")

    through = [stay for stay in asked.everything if stay.emergency or stay.admitted_from == "emd"]
    assert sum(number for (number,) in found) == len(through) > 0
    assert old[0][0] == sum(stay.end is not None and stay.end.year == 2022 for stay in through)


@pytest.mark.parametrize("atc", ["B01", "C03CA01", "N02"])
def test_drug_exposure_by_atc(asked: Asked, atc: str) -> None:
    prescribed, given = (
        asked.each_year(
            f"SELECT NIR_ANO_17, count(*) FROM T_EDS{{y}}{table} WHERE PHA_ATC_CLA LIKE '{atc}%'"
            " AND RSA_NUM IS NOT NULL AND ETA_NUM = '750712184' GROUP BY 1"
        )
        for table in ("PRE", "ADM")
    )

    planted: dict[str, Counter[str]] = {"MedicationRequest": Counter(), "MedicationAdministration": Counter()}
    for stay in asked.planned:
        for entry in stay_bundle(SEED, HOSPITAL, stay)["entry"]:
            resource = entry["resource"]
            codes = resource.get("medicationCodeableConcept", {}).get("coding", [{}])
            if resource["resourceType"] in planted and codes[0]["code"].startswith(atc):
                planted[resource["resourceType"]][stay.person.number] += 1
    for found, told in ((prescribed, planted["MedicationRequest"]), (given, planted["MedicationAdministration"])):
        assert len({person for person, _ in found}) == len(told) > 0
        assert sum(lines for _, lines in found) == told.total()


def test_the_filter_of_fictitious_numbers_leaves_the_chained_stays(asked: Asked) -> None:
    # the failure value, and the others that analysts list: a letter before or after sixteen X
    listed = ["x" * 17, "X" * 17, *(f"{one}{'X' * 16}" for one in "DSEB"), *(f"{'X' * 16}{one}" for one in "DSEB")]
    numbers = ", ".join(f"'{one}'" for one in listed)

    kept = asked.each_year(f"SELECT count(*) FROM T_MCO{{y}}C WHERE NIR_ANO_17 NOT IN ({numbers})")

    assert sum(number for (number,) in kept) == len(asked.everything)


def test_lengths_of_stay(asked: Asked) -> None:
    found = asked.each_year("SELECT count(*), sum(SEJ_NBJ), sum(NBR_SEA) FROM T_MCO{y}B")

    sessions = [stay for stay in asked.everything if stay.kind in ("dialysis", "chemotherapy")]
    nights = [(s.end.date() - s.start.date()).days for s in asked.everything if s not in sessions and s.end is not None]
    assert [sum(column) for column in zip(*found, strict=True)] == [len(asked.everything), sum(nights), len(sessions)]


def test_consultations_of_public_hospitals_are_found(asked: Asked) -> None:
    found = asked.each_year(CONSULTATIONS)

    assert {code for _, _, code, _, _ in found} == {"DEQP003"}
    assert len(found) == sum(stay.kind == "visit" for stay in hospital_visits())


def hospital_visits() -> list[Stay]:
    return [stay for stay in hospital(SEED, STAYS)[0] if stay.kind == "visit"]
