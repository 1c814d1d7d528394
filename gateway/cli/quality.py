"""`quality report`: HTML, CSV, JSON or a FHIR MeasureReport, all of the same masked figures."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson

from gateway.cli import screen
from gateway.cli.dead_letters import opened_state
from gateway.cli.quality_html import html
from gateway.cli.quality_measure_report import measure_report
from gateway.cli.quality_words import Language
from gateway.cli.refusals import check_hospital
from gateway.cli.server_tables import lake_folder
from streaming.aggregates import Cell, Share
from streaming.quality import Report, measure

Form = Literal["html", "csv", "json", "fhir"]
CSV_HEADS = ("hospital", "table", "family", "check", "failing", "rows", "rate", "text")


def report(data_dir: Path, *, hospital: str | None, form: Form, language: Language, to: Path | None) -> int:
    """Write the report on stdout, or into a file."""
    with lake_folder(data_dir) as tables:
        if tables == data_dir:
            found = measure(data_dir, hospital=hospital)
        else:
            with opened_state(data_dir) as state, state.transaction():
                found = measure(data_dir, hospital=hospital, tables=tables, state=state.connection)
    if hospital is not None and hospital not in found.hospitals:
        check_hospital(data_dir, hospital)
    now = datetime.now(UTC)
    writers: dict[str, Callable[[], str]] = {
        "html": lambda: html(found, language=language, hospital=hospital, made_on=now.date()),
        "csv": lambda: as_csv(found, language),
        "json": lambda: orjson.dumps(as_json(found, language), option=orjson.OPT_INDENT_2).decode() + "\n",
        "fhir": lambda: measure_report(found, made_at=now) + "\n",
    }
    text = writers[form]()
    if to is None:
        sys.stdout.write(text)
        return 0
    to.write_text(text, encoding="utf-8")
    screen.complaints().print(f"[green]✓[/green] {screen.escaped(str(to))}")
    return 0


def as_csv(found: Report, language: Language) -> str:
    """Return one line a check and hospital; masked figures are empty."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\n")
    writer.writerow(CSV_HEADS)
    for line in found.lines:
        check, failing = line.check, line.failing
        rate = None if failing.rate is None else round(failing.rate, 6)
        told = getattr(check.text, language)
        writer.writerow((line.hospital, check.table, check.family, check.code, failing.part, failing.whole, rate, told))
    return text.getvalue()


def as_json(found: Report, language: Language) -> dict[str, Any]:
    """Return the report as JSON; a masked figure is null."""
    return {
        "hospitals": found.hospitals,
        "families": [
            {"hospital": hospital, "family": family, **_share(share)}
            for (hospital, family), share in found.families.items()
        ],
        "checks": [
            {
                "hospital": line.hospital,
                "table": line.check.table,
                "family": line.check.family,
                "code": line.check.code,
                "text": getattr(line.check.text, language),
                **_share(line.failing),
                "trend": [{"month": month, "rate": rate} for month, rate in line.trend],
            }
            for line in found.lines
        ],
        "columns": [
            {"hospital": hospital, "table": table, "column": column, "rate": share.rate, "rows": share.whole}
            for hospital, table, column, share in found.filled
        ],
        "rows": _cells(found.rows, "table"),
        "stays": _cells(found.stays, "month"),
        "statuses": _cells(found.statuses, "status"),
        "quarantine": _cells(found.quarantine, "reason"),
        "counters": _cells(found.counters, "code"),
        "repairs": [
            {
                "hospital": one.hospital,
                "code": one.code,
                "number": one.number,
                "text": getattr(one.what, language),
                "repair": getattr(one.how, language),
            }
            for one in found.repairs
        ],
    }


def _share(share: Share) -> dict[str, Any]:
    return {"failing": share.part, "rows": share.whole, "rate": share.rate}


def _cells(cells: Iterable[Cell], name: str) -> list[dict[str, Any]]:
    return [
        {"hospital": cell.group[0], name: cell.group[1], "number": cell.stays, "persons": cell.persons}
        for cell in cells
    ]
