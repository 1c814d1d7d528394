"""The tables of an installation as a lake in a folder: its own, or a copy of PostgreSQL's for one command."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.connections import postgres_connection
from gateway.settings import load_settings

RUN = "run"
SETTINGS = "gateway.toml"


@contextmanager
def lake_folder(data_dir: Path) -> Iterator[Path]:
    """Yield the folder whose `lake/` holds the tables. A copy is readable by this user alone, and removed afterwards.

    A folder with a lake and no settings (a copy of one) is read as it is.
    """
    known = (data_dir / SETTINGS).is_file()
    postgres = postgres_connection(load_settings(data_dir, os.environ)) if known else None
    if postgres is None:
        yield data_dir
        return
    from streaming.server_lake import copy_lake

    (data_dir / RUN).mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tables-", dir=data_dir / RUN) as folder:
        copy_lake(postgres, Path(folder))
        yield Path(folder)
