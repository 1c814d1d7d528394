# Stays by principal diagnosis and department, with the filters that SNDS programs use.

# %%
import os

import duckdb

lake = duckdb.connect(os.environ.get("SNDS_LAKE", "data/lake/snds.duckdb"), read_only=True)

# %% One table a year: the years that are published
years = [
    name[5:7]
    for (name,) in lake.execute("SELECT view_name FROM duckdb_views() WHERE view_name LIKE 'T_MCO__B'").fetchall()
]
stays = " UNION ALL ".join(
    f"SELECT b.ETA_NUM, b.RSA_NUM, b.DGN_PAL, b.BDI_DEP, c.NIR_ANO_17"
    f" FROM T_MCO{year}B b JOIN T_MCO{year}C c USING (ETA_NUM, RSA_NUM)"
    # the nine return codes at 0, no error GHM, no summary of another kind, no session sent by another hospital
    f" WHERE c.NIR_RET = '0' AND c.NAI_RET = '0' AND c.SEX_RET = '0' AND c.SEJ_RET = '0' AND c.FHO_RET = '0'"
    f" AND c.PMS_RET = '0' AND c.DAT_RET = '0' AND c.COH_NAI_RET = '0' AND c.COH_SEX_RET = '0'"
    f" AND b.GRG_GHM NOT LIKE '90%' AND b.TYP_GEN_RSA = '0' AND (b.SEJ_TYP IS NULL OR b.SEJ_TYP <> 'B')"
    for year in years
)

# %% Stays and persons; cells under 11 stays or persons are not shown
answer = lake.execute(
    f"""
    SELECT left(DGN_PAL, 3) AS diagnosis, BDI_DEP AS department, count(*) AS stays,
        count(DISTINCT NIR_ANO_17) AS persons
    FROM ({stays}) GROUP BY ALL HAVING stays >= 11 AND persons >= 11 ORDER BY stays DESC, diagnosis, department
    """
).fetchall()
print(f"{'diagnosis':<10}{'department':<12}{'stays':>8}{'persons':>9}")
for diagnosis, department, number, persons in answer:
    print(f"{diagnosis:<10}{department or '':<12}{number:>8}{persons:>9}")
