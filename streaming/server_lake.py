"""PostgreSQL → a lake of one moment in a folder of its own: what the quality report and `export` read there too.

The copy is made table by table in one snapshot, never held in memory, and removed by the caller.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from streaming.lake import DATABASE
from streaming.layout import layout_of
from streaming.postgres import PostgresConnection, PostgresEngine
from streaming.postgres_sink import PostgresSink

SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


def copy_lake(postgres: PostgresConnection, folder: Path) -> None:
    """Write every official table under `folder/lake`, as the embedded form publishes them."""
    target = folder / "lake" / "v" / "1"
    target.mkdir(parents=True, mode=0o700)
    engine = PostgresEngine(postgres)
    try:
        sink = PostgresSink(engine)
        raw = engine.connection.raw
        with raw.transaction():
            raw.execute(SNAPSHOT)
            tables = sink.published_tables()
            for table in tables:
                _copy(sink, table, target / f"{table}.parquet")
    finally:
        engine.close()
    with duckdb.connect(str(folder / "lake" / DATABASE)) as lake:
        for table in tables:
            file = str(target / f"{table}.parquet").replace("'", "''")
            columns = ", ".join(f'"{one.name}"::{one.duckdb} AS "{one.name}"' for one in layout_of(table).columns)
            lake.execute(f"CREATE VIEW \"{table}\" AS SELECT {columns} FROM read_parquet('{file}')")  # noqa: S608


def _copy(sink: PostgresSink, table: str, file: Path) -> None:
    schema = pa.schema([(one.name, one.arrow) for one in layout_of(table).columns])
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in sink.batches(table):
            writer.write_table(batch.drop_columns(["owner"]))
