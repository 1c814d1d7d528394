# Exposure to a class of drugs: prescribed and given in hospital (clinical extension), dispensed outside (DCIR).

# %%
import os

import duckdb

lake = duckdb.connect(os.environ.get("SNDS_LAKE", "data/lake/snds.duckdb"), read_only=True)
CLASS = os.environ.get("ATC", "B01")
years = [
    name[5:7]
    for (name,) in lake.execute("SELECT view_name FROM duckdb_views() WHERE view_name LIKE 'T_EDS__PRE'").fetchall()
]


def shown(number: int) -> str:
    return str(number) if number >= 11 or number == 0 else "< 11"


# %% In hospital
for table, told in (("PRE", "prescribed"), ("ADM", "given")):
    rows = " UNION ALL ".join(f"SELECT NIR_ANO_17, PHA_ATC_CLA FROM T_EDS{year}{table}" for year in years)
    lines, persons = lake.execute(
        f"SELECT count(*), count(DISTINCT NIR_ANO_17) FROM ({rows}) WHERE PHA_ATC_CLA LIKE '{CLASS}%'"
    ).fetchone()
    print(f"{CLASS} {told}: {shown(lines)} lines, {shown(persons)} persons")

# %% Outside: the nine keys join ER_PHA_F, IR_PHA_R gives the class (the operator loads it)
loaded = lake.execute("SELECT count(*) FROM duckdb_views() WHERE view_name = 'IR_PHA_R'").fetchone()[0]
if loaded:
    keys = (
        "DCT_ORD_NUM, FLX_DIS_DTD, FLX_EMT_NUM, FLX_EMT_ORD, FLX_EMT_TYP, FLX_TRT_DTD, ORG_CLE_NUM, PRS_ORD_NUM,"
        " REM_TYP_AFF"
    )
    boxes, persons = lake.execute(
        f"""
        SELECT coalesce(sum(PHA_ACT_QSN), 0), count(DISTINCT BEN_NIR_PSA)
        FROM ER_PRS_F JOIN ER_PHA_F USING ({keys}) JOIN IR_PHA_R ON PHA_CIP_C13 = PHA_PRS_C13
        WHERE PHA_ATC_CLA LIKE '{CLASS}%' AND DPN_QLF NOT IN (71, 72) AND CPL_MAJ_TOP < 2
        """
    ).fetchone()
    print(f"{CLASS} dispensed: {shown(boxes)} boxes, {shown(persons)} persons")
else:
    print(f"{CLASS} dispensed: load IR_PHA_R first (snds-gateway reference load ir-pha-r FILE)")
