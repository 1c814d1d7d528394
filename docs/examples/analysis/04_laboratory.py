# Creatinine: on admission and its peak within 48 hours. BIO_VAL_STD is in umol/L whatever the hospital sent.

# %%
import os

import duckdb

lake = duckdb.connect(os.environ.get("SNDS_LAKE", "data/lake/snds.duckdb"), read_only=True)
years = [
    name[5:7]
    for (name,) in lake.execute("SELECT view_name FROM duckdb_views() WHERE view_name LIKE 'T_EDS__BIO'").fetchall()
]

# %% Both LOINC codes (moles and mass) are one measure once normalised; minutes run from the entry
results = " UNION ALL ".join(
    f"SELECT ETA_NUM, RSA_NUM, PLV_MIN_DEL, BIO_VAL_STD FROM T_EDS{year}BIO"
    f" WHERE BIO_LOI_COD IN ('14682-9', '2160-0') AND RSA_NUM IS NOT NULL AND BIO_STA_COD IN ('F', 'C')"
    f" AND PLV_MIN_DEL BETWEEN -1440 AND 2880 AND BIO_VAL_STD IS NOT NULL"
    for year in years
)
stays, first, peak, risen = lake.execute(
    f"""
    WITH by_stay AS (
        SELECT ETA_NUM, RSA_NUM, arg_min(BIO_VAL_STD, PLV_MIN_DEL) AS first, max(BIO_VAL_STD) AS peak
        FROM ({results}) GROUP BY 1, 2)
    SELECT count(*), median(first), median(peak), count(*) FILTER (peak - first >= 26.5) FROM by_stay
    """
).fetchone()

# %% KDIGO's stage 1 by the rise alone (26.5 umol/L in 48 h)
if stays < 11:
    print("creatinine: fewer than 11 stays")
else:
    share = f"{risen / stays:.0%}" if risen == 0 or risen >= 11 else "< 11 stays"
    print(f"creatinine in {stays} stays: median {first:.0f} umol/L on admission, peak {peak:.0f}; risen: {share}")
