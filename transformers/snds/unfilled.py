"""Why a column stays empty, as data (`unfilled.tsv`): the first line whose patterns fit table and column. Pure."""

from __future__ import annotations

import re
from functools import cache

from transformers.snds.schema import packaged


def reason_empty(table: str, column: str) -> str:
    """Return why a column is not filled (or not always), "" when nothing is said."""
    for tables, columns, reason in _reasons():
        if tables.fullmatch(table) and columns.fullmatch(column):
            return reason
    return ""


@cache
def _reasons() -> tuple[tuple[re.Pattern[str], re.Pattern[str], str], ...]:
    lines = (line.split("\t") for line in packaged("unfilled.tsv").splitlines()[1:])
    return tuple((re.compile(tables), re.compile(columns), reason) for tables, columns, reason in lines)
