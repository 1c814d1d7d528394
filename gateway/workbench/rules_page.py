"""`/workbench/rules`: rules.toml as a data protection officer reads it, element by element."""

from __future__ import annotations

from fastapi import Request
from nicegui import ui

from gateway.cli.rules_report import lines_of
from gateway.workbench.desk import Desk
from gateway.workbench.frame import frame
from gateway.workbench.grids import grid
from gateway.workbench.words import say


def rules_page(request: Request, desk: Desk) -> None:
    """Draw the page."""
    session = desk.session(request)
    language, rules = session.language, desk.yardstick.rules
    with frame(session, "page-bench"):
        names = [name for name in rules.book.types if name not in ("Resource", "Element")]
        choose = ui.select(names, value="Patient", label=say("type", language)).classes("min-w-48")
        place = ui.column().classes("w-full")

        def draw() -> None:
            place.clear()
            with place:
                heads = (
                    ("path", say("path", language)),
                    ("what", say("what", language)),
                    ("why", say("why", language)),
                )
                rows = ((one.path, one.outcome, one.text) for one in lines_of(rules, str(choose.value), language))
                grid(heads, rows, title=say("rules-page", language), language=language, searched=True, page=40)

        draw()
        choose.on_value_change(draw)
