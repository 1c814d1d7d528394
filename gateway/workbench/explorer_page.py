"""`/workbench/tables`: every table and column explained; counts for all, SQL for who has the scope `operate`."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from fastapi import Request
from nicegui import run, ui

from fhir_profiles.errors import PipelineError
from fhir_profiles.issues import Language
from gateway.cli import lake
from gateway.workbench.analysis import columns_of
from gateway.workbench.desk import Desk
from gateway.workbench.frame import frame
from gateway.workbench.grids import grid
from gateway.workbench.sql_box import SqlRefusedError, answer
from gateway.workbench.words import say
from streaming.aggregates import Cell, aggregate
from streaming.dimensions import DIMENSIONS
from transformers.snds.schema import TABLES

QUESTIONS = (
    ("DGN_PAL", "SELECT DGN_PAL, count(*) AS n FROM T_MCO24B GROUP BY 1 ORDER BY 2 DESC"),
    ("CDC_ACT", "SELECT CDC_ACT, count(*) AS n FROM T_MCO24A GROUP BY 1 ORDER BY 2 DESC"),
    ("SEJ_NBJ", "SELECT SEJ_NBJ, count(*) AS n FROM T_MCO24B GROUP BY 1 ORDER BY 1"),
)
MOST_KEYS = 3


def explorer_page(request: Request, desk: Desk) -> None:
    """Draw the page."""
    session = desk.session(request)
    with frame(session, "page-tables"):
        _counts(desk, session.language)
        if "operate" in session.scopes:
            _sql(desk, session.language)
        _dictionary(session.language)


def _counts(desk: Desk, language: Language) -> None:
    labels = {one.name: one.label_fr if language == "fr" else one.label_en for one in DIMENSIONS.values()}
    with ui.row().classes("items-end gap-3"):
        keys = ui.select(labels, multiple=True, value=["chapter"], label=say("aggregate", language)).classes("min-w-72")
        go = ui.button(say("run", language)).props("no-caps data-testid=count")
    ui.label(say("masked", language)).classes("wb-dim")
    place = ui.column().classes("w-full")

    async def count() -> None:
        by = list(keys.value or ())[:MOST_KEYS]
        try:
            cells = await run.io_bound(_cells, desk.data_dir, by)
        except PipelineError:
            cells = None
        place.clear()
        with place:
            if not cells:
                ui.label(say("nothing-published", language))
                return
            heads = [*((name, labels[name]) for name in by), ("stays", say("stays", language))]
            heads.append(("persons", say("persons", language)))
            grid(heads, [(*one.group, one.stays, one.persons) for one in cells], language=language)
            _chart(cells, language)

    go.on_click(count)


def _cells(data_dir: Path, by: list[str]) -> tuple[Cell, ...]:
    with lake.reading(data_dir) as connection:
        return aggregate(connection, by)


def _chart(cells: tuple[Cell, ...], language: Language) -> None:
    ui.echart(
        {
            "xAxis": {"type": "category", "data": [" ".join(one.group) for one in cells]},
            "yAxis": {"type": "value"},
            "tooltip": {},
            "aria": {"enabled": True},
            "series": [{"type": "bar", "data": [one.stays for one in cells]}],
        }
    ).classes("w-full h-64").props(f'role="img" aria-label="{say("chart", language)}"')


def _sql(desk: Desk, language: Language) -> None:
    ui.html(f"<h2>{say('query', language)}</h2>", sanitize=True).classes("nicegui-html")
    ui.label(say("row-level", language)).classes("wb-warning")
    box = ui.textarea(say("query", language), value=QUESTIONS[0][1]).classes("w-full").props("outlined")
    result: dict[str, Any] = {}
    place = ui.column().classes("w-full")

    async def ask() -> None:
        place.clear()
        with place:
            try:
                found = await run.io_bound(answer, desk.data_dir, str(box.value))
            except SqlRefusedError as refused:
                ui.label(refused.detail).classes("wb-error").props('role="alert"')
                return
            if found is not None:
                result["columns"], result["rows"] = found
                grid([(name, name) for name in found[0]], found[1], language=language)

    def save() -> None:
        text = io.StringIO()
        writer = csv.writer(text, delimiter=";", lineterminator="\n")
        writer.writerow(result.get("columns", ()))
        writer.writerows(result.get("rows", ()))
        ui.download.content(text.getvalue(), "answer.csv")

    with ui.row().classes("gap-2"):
        ui.button(say("run", language), on_click=ask).props("no-caps data-testid=ask")
        ui.button("CSV", on_click=save).props("no-caps flat")
        with ui.dropdown_button(say("questions", language), auto_close=True).props("flat no-caps"):
            for name, query in QUESTIONS:
                ui.item(name, on_click=lambda query=query: box.set_value(query))
    place.move(target_index=-1)


def _dictionary(language: Language) -> None:
    choose = ui.select(sorted(TABLES), value="T_MCOaaB", label=say("table", language)).classes("min-w-48")
    place = ui.column().classes("w-full")

    def draw() -> None:
        table = TABLES[str(choose.value)]
        place.clear()
        with place:
            ui.html(f"<h2>{table.name}</h2>", sanitize=True).classes("nicegui-html")
            ui.label(table.title_fr)
            meant = {name: meaning for name, _, meaning in columns_of(table.name, language)}
            heads = (("name", say("column", language)), ("type", say("type", language)),
                     ("label", say("label", language)), ("source", say("source", language)),
                     ("rule", say("rule", language)))  # fmt: skip
            rows = (
                (one.name, one.type, one.label_fr, meant[one.name].elements, meant[one.name].rule)
                for one in table.columns
            )
            grid(heads, rows, language=language, searched=True, page=30)

    draw()
    choose.on_value_change(draw)
