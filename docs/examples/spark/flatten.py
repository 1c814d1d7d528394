# An export in SCALPEL's layout read by Spark as SCALPEL-Flattening reads it, joined as its configuration says, counted.
#
#   pip install pyspark            (with Java 17)
#   snds-gateway export --to extraction --format scalpel
#   python flatten.py extraction flattened
import csv
import re
import sys
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import col, to_date

folder, flat = Path(sys.argv[1]), Path(sys.argv[2])
spark = SparkSession.builder.master("local[1]").config("spark.sql.ansi.enabled", "false").getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
text = (folder / "scalpel.conf").read_text(encoding="utf-8")

# %% The schema: a type for each column of each table; a column without one ends SCALPEL
types: dict[str, dict[str, str]] = {}
with (folder / "scalpel-schema.csv").open(encoding="utf-8", newline="") as file:
    for row in csv.DictReader(file, delimiter=";"):
        types.setdefault(row["MEMNAME"], {})[row["NAME"]] = row["DATATYPE"]


def typed(table: str, path: str) -> DataFrame:
    """Header, `;`, no schema of Spark's own; dates are parsed by the format of the configuration, the rest is cast."""
    raw = spark.read.option("header", "true").option("delimiter", ";").csv(path)
    kinds = types[table]
    made = raw.select(
        [
            (to_date(col(name), "dd/MM/yyyy") if kinds[name] == "Date" else col(name).cast(kinds[name].lower())).alias(
                name
            )
            for name in raw.columns
        ]
    )
    before, after = (frame.select([col(name).isNotNull().cast("long").alias(name) for name in raw.columns])
                     .groupBy().sum().collect()[0] for frame in (raw, made))  # fmt: skip
    lost = [name for name, one, other in zip(raw.columns, before, after, strict=True) if one != other]
    assert not lost, f"{table}: values of {lost} do not have the type of the schema"
    return made


# %% Single tables: text to Parquet, one folder a table and year
for block in re.findall(r"name = (\w+)\n.*?partitions = \[\n(.*?)\n    \]", text, re.S):
    table, partitions = block
    for year, path in re.findall(r'(?:year = (\d+), )?path = \["(.*?)"\]', partitions):
        to = flat / "single_table" / table / (f"year={year}" if year else "")
        typed(table, path).write.mode("overwrite").parquet(str(to))


def read(table: str) -> DataFrame:
    return spark.read.option("mergeSchema", "true").parquet(str(flat / "single_table" / table))


def annotated(table: str, keys: list[str]) -> DataFrame:
    """Columns beside the keys carry the name of their table, so that none is there twice."""
    frame = read(table)
    return frame.select([col(name).alias(name if name in keys else f"{table}__{name}") for name in frame.columns])


# %% Flat tables: the central one is joined with each other by the keys and the year; nothing is lost or doubled
for name, central, persons, keys, others in re.findall(
    r'name = "(\w+)", main_table_name = "(\w+)",(?: pmsi_patient_table_name = "(\w+)",)? join_keys = \[(.*?)\],'
    r" tables_to_join = \[(.*?)\]", text
):  # fmt: skip
    on = [*re.findall(r'"(\w+)"', keys), "year"]
    main = read(central)
    if persons:
        main = main.join(annotated(persons, on), on, "left_outer")
        assert main.count() == read(central).count() == read(persons).count(), (
            f"{central} and {persons}: not one to one"
        )
    assert main.select(on).distinct().count() == main.count(), f"{central}: the keys are not unique"
    for other in re.findall(r'"(\w+)"', others):
        joined = main.join(annotated(other, on), on, "inner").count()
        rows = read(other).count()
        assert joined == rows, f"{other}: {joined} of {rows} rows find {central}"
        print(f"{name:<8}{central:<10}{other:<10}{rows:>8} rows, all joined", flush=True)
    print(f"{name:<8}{central:<10}{'':<10}{main.count():>8} rows", flush=True)
spark.stop()
