"""One SQL question to the lake, bounded: read-only, ten seconds, 512 MB, 10,000 rows."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from fhir_profiles.errors import PipelineError
from gateway.cli import lake

LIMIT_S = 10.0
MOST_ROWS = 10_000
MEMORY = "512MB"


class SqlRefusedError(PipelineError):
    """The question cannot be answered; `detail` says why."""

    def __init__(self, detail: str) -> None:
        super().__init__("query-refused")
        self.detail = detail


def answer(data_dir: Path, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return column names and rows. Raises SqlRefusedError."""
    try:
        with lake.reading(data_dir, memory=MEMORY) as connection:
            timer = threading.Timer(LIMIT_S, connection.interrupt)
            timer.start()
            try:
                columns, rows = lake.ask(connection, query, most=MOST_ROWS)
            finally:
                timer.cancel()
    except lake.LakeError as error:
        raise SqlRefusedError(error.detail) from None
    return columns, rows
