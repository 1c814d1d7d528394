"""`/workbench/quality`: the quality report, alive. Every figure comes masked from `streaming.aggregates`."""

from __future__ import annotations

from pathlib import Path

from fastapi import Request
from nicegui import run, ui

from fhir_profiles.errors import PipelineError
from fhir_profiles.issues import Language
from gateway.cli.dead_letters import opened_state
from gateway.cli.quality import as_csv
from gateway.cli.quality_html import html
from gateway.contracts import now_utc
from gateway.workbench.desk import Desk
from gateway.workbench.frame import frame
from gateway.workbench.grids import grid
from gateway.workbench.sessions import Session
from gateway.workbench.words import say
from streaming.aggregates import Share
from streaming.quality import Report, measure
from streaming.quarantine import quarantined
from transformers.snds.quarantine import REASONS

MOST_SHOWN = 1000


def quality_page(request: Request, desk: Desk) -> None:
    """Draw the page: of the hospital of the key, or of all for an operator."""
    session = desk.session(request)
    hospital = None if "operate" in session.scopes else session.contract.finess
    with frame(session, "page-quality"):
        place = ui.column().classes("w-full")
        with place:
            ui.spinner(size="lg").props(f'aria-label="{say("page-quality", session.language)}"')

    async def measured() -> None:
        try:
            report = await run.io_bound(measure, desk.data_dir, hospital=hospital)
        except PipelineError:
            report = None
        place.clear()
        with place:
            if report is None:
                ui.label(say("nothing-published", session.language))
            else:
                _draw(report, hospital, session)
                if "operate" in session.scopes:
                    _browser(desk.data_dir, hospital, session.language)

    ui.timer(0.05, measured, once=True)


def _draw(report: Report, hospital: str | None, session: Session) -> None:
    language = session.language
    with ui.row().classes("items-center gap-3"):
        ui.label(say("masked", language)).classes("wb-dim")
        ui.button("HTML", on_click=lambda: _page(report, hospital, language)).props("flat dense no-caps")
        ui.button("CSV", on_click=lambda: ui.download.content(as_csv(report, language), "quality.csv")).props(
            "flat dense no-caps"
        )
    place = ("hospital", say("hospital", language))
    grid(
        (place, ("code", "Code"), ("number", say("number", language)), ("what", say("what", language)),
         ("how", say("repair", language))),
        ((one.hospital, one.code, one.number, getattr(one.what, language), getattr(one.how, language))
         for one in report.repairs),
        title=say("repairs", language), language=language,
    )  # fmt: skip
    _months(report, language)
    grid(
        (place, ("reason", say("reason", language)), ("number", say("number", language)),
         ("text", say("what", language))),
        ((cell.group[0], cell.group[1], cell.stays, _reason(cell.group[1], language)) for cell in report.quarantine),
        title=say("quarantine", language), language=language,
    )  # fmt: skip
    grid(
        (place, ("table", say("table", language)), ("code", "Code"), ("share", say("share", language)),
         ("text", say("rule", language))),
        ((line.hospital, line.check.table, line.check.code, _percent(line.failing), getattr(line.check.text, language))
         for line in report.lines),
        title=say("checks", language), language=language, searched=True,
    )  # fmt: skip


def _browser(data_dir: Path, hospital: str | None, language: Language) -> None:
    """Where each stay in quarantine came from: the sender finds it by its own receipt; no key of a person is shown."""
    try:
        with opened_state(data_dir) as state:
            found = quarantined(state.connection, finess=hospital, most=MOST_SHOWN)
    except PipelineError:
        return
    heads = (("hospital", say("hospital", language)), ("reason", say("reason", language)),
             ("event", say("event", language)), ("entry", say("entry", language)))  # fmt: skip
    rows = ((one.finess, one.reason, one.event_id, one.entry) for one in found)
    grid(heads, rows, title=say("quarantine", language), language=language, searched=True)


def _months(report: Report, language: Language) -> None:
    months = sorted({cell.group[1] for cell in report.stays})
    series = [
        {
            "type": "bar",
            "stack": "stays",
            "name": hospital,
            "data": [next((c.stays for c in report.stays if c.group[:2] == (hospital, one)), None) for one in months],
        }
        for hospital in sorted({cell.group[0] for cell in report.stays})
    ]
    if not months:
        return
    ui.html(f"<h2>{say('stays', language)}</h2>", sanitize=True).classes("nicegui-html")
    ui.echart(
        {
            "xAxis": {"type": "category", "data": months},
            "yAxis": {"type": "value"},
            "tooltip": {},
            "legend": {},
            "series": series,
            "aria": {"enabled": True},
        }
    ).classes("w-full h-64").props(f'role="img" aria-label="{say("stays", language)}, {say("month", language)}"')


def _page(report: Report, hospital: str | None, language: Language) -> None:
    made = html(report, language=language, hospital=hospital, made_on=now_utc().date())
    ui.download.content(made, "quality.html")


def _reason(code: str, language: Language) -> str:
    return getattr(REASONS[code], language) if code in REASONS else code


def _percent(share: Share) -> str | None:
    return None if share.rate is None else f"{share.rate:.1%}"
