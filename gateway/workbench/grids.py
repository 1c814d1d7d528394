"""One way to draw a table of rows: sortable, filterable, readable by a screen reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nicegui import ui

from fhir_profiles.issues import Language
from gateway.workbench.words import say


def grid(
    heads: Sequence[tuple[str, str]],
    rows: Iterable[Sequence[Any]],
    *,
    title: str = "",
    language: Language,
    searched: bool = False,
    page: int = 15,
) -> ui.table:
    """Draw rows under (name, label) heads; a masked or missing value is a dash."""
    if title:
        ui.html(f"<h2>{title}</h2>", sanitize=True).classes("nicegui-html")
    columns = [
        {"name": name, "label": label, "field": name, "align": "left", "sortable": True} for name, label in heads
    ]
    names = [name for name, _ in heads]
    listed: list[Mapping[str, Any]] = [
        {"row": number} | {name: _cell(value) for name, value in zip(names, row, strict=True)}
        for number, row in enumerate(rows)
    ]
    wanted = ui.input(say("search", language)).props("dense clearable") if searched else None
    table = ui.table(rows=[dict(one) for one in listed], columns=columns, row_key="row", pagination=page)
    table.classes("w-full").props("dense")
    if wanted is not None:
        wanted.bind_value_to(table, "filter")
    return table


def _cell(value: Any) -> Any:  # noqa: ANN401 — what a table shows
    if value is None:
        return "—"
    return value if isinstance(value, int | float | str) else str(value)
