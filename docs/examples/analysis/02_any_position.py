# A diagnosis in any position, an act by hospital, and readmission within 30 days, by the chaining pseudonym.

# %%
import os

import duckdb

lake = duckdb.connect(os.environ.get("SNDS_LAKE", "data/lake/snds.duckdb"), read_only=True)
DIAGNOSIS, ACT = os.environ.get("DIAGNOSIS", "I21"), os.environ.get("ACT", "DEQP003")
years = [
    name[5:7]
    for (name,) in lake.execute("SELECT view_name FROM duckdb_views() WHERE view_name LIKE 'T_MCO__B'").fetchall()
]


def every_year(query: str) -> str:
    return " UNION ALL ".join(query.replace("@", year) for year in years)


def shown(number: int) -> str:
    return str(number) if number >= 11 or number == 0 else "< 11"


# %% Diagnoses of units that did not give the stay's stand in UM alone; associated ones in D
stays = every_year(
    f"""
    SELECT c.NIR_ANO_17, c.ETA_NUM, c.RSA_NUM, c.EXE_SOI_DTD, c.EXE_SOI_DTF FROM T_MCO@C c
    WHERE c.NIR_RET = '0' AND c.NAI_RET = '0' AND c.SEX_RET = '0' AND (c.ETA_NUM, c.RSA_NUM) IN (
        SELECT ETA_NUM, RSA_NUM FROM T_MCO@B WHERE DGN_PAL LIKE '{DIAGNOSIS}%' OR DGN_REL LIKE '{DIAGNOSIS}%'
        UNION SELECT ETA_NUM, RSA_NUM FROM T_MCO@UM WHERE DGN_PAL LIKE '{DIAGNOSIS}%' OR DGN_REL LIKE '{DIAGNOSIS}%'
        UNION SELECT ETA_NUM, RSA_NUM FROM T_MCO@D WHERE ASS_DGN LIKE '{DIAGNOSIS}%')
    """
)
number, persons = lake.execute(f"SELECT count(*), count(DISTINCT NIR_ANO_17) FROM ({stays})").fetchone()
print(f"{DIAGNOSIS} in any position: {shown(number)} stays of {shown(persons)} persons")

# %% An act, by hospital
acts = every_year(f"SELECT ETA_NUM, RSA_NUM FROM T_MCO@A WHERE CDC_ACT = '{ACT}'")
for hospital, done in lake.execute(f"SELECT ETA_NUM, count(*) FROM ({acts}) GROUP BY 1 ORDER BY 1").fetchall():
    print(f"{ACT} in {hospital}: {shown(done)}")

# %% Readmission: the next stay of the same person, in any hospital, begins within 30 days of the exit
every_stay = every_year(
    "SELECT NIR_ANO_17, ETA_NUM, RSA_NUM, EXE_SOI_DTD, EXE_SOI_DTF FROM T_MCO@C"
    " WHERE NIR_RET = '0' AND NIR_ANO_17 <> repeat('x', 17)"
)
followed, readmitted = lake.execute(
    f"""
    WITH chained AS (
        SELECT *, lead(EXE_SOI_DTD) OVER (
            PARTITION BY NIR_ANO_17 ORDER BY EXE_SOI_DTD, EXE_SOI_DTF, RSA_NUM) AS following
        FROM ({every_stay}))
    SELECT count(*), count(*) FILTER (following - EXE_SOI_DTF BETWEEN 1 AND 30) FROM chained
    """
).fetchone()
print(f"readmission within 30 days: {shown(readmitted)} of {shown(followed)} stays")
