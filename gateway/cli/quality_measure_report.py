"""`Report` → a FHIR R4 MeasureReport of type `summary`: one group a check and hospital, masked counts left out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fhir.resources.R4B.measurereport import MeasureReport

from streaming.quality import Line, Report

MEASURE = "urn:snds-gateway:quality"
POPULATIONS = "http://terminology.hl7.org/CodeSystem/measure-population"
FINESS = "https://finess.esante.gouv.fr"


def measure_report(report: Report, *, made_at: datetime) -> str:
    """Return the resource as JSON; its shape is checked while it is built."""
    months = sorted({month for line in report.lines for month, _ in line.trend})
    day = made_at.date().isoformat()
    body: dict[str, Any] = {
        "resourceType": "MeasureReport",
        "status": "complete",
        "type": "summary",
        "measure": MEASURE,
        "date": made_at.isoformat(timespec="seconds"),
        "period": {"start": f"{months[0]}-01", "end": day} if months else {"start": day, "end": day},
        "group": [_group(line) for line in report.lines],
    }
    if len(report.hospitals) == 1:
        body["reporter"] = {"identifier": {"system": FINESS, "value": report.hospitals[0]}}
    return str(MeasureReport.model_validate(body).model_dump_json(exclude_none=True))


def _group(line: Line) -> dict[str, Any]:
    failing, check = line.failing, line.check
    kept = None if failing.part is None or failing.whole is None else failing.whole - failing.part
    counts = {"denominator": failing.whole, "numerator": kept}
    group: dict[str, Any] = {
        "code": {
            "coding": [{"system": MEASURE, "code": check.code.replace(":", "-")}],
            "text": f"{line.hospital} {check.table}: {check.text.en}".strip(),
        },
        "population": [
            {"code": {"coding": [{"system": POPULATIONS, "code": code}]}, "count": count}
            for code, count in counts.items()
            if count is not None
        ],
    }
    if failing.rate is not None:
        group["measureScore"] = {"value": round(1 - failing.rate, 6)}
    return group
