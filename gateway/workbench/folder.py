"""Many files at once: a bar that moves, one line a file, a click opens it in the editor. Nothing is stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nicegui import run, ui
from nicegui.events import GenericEventArguments

from fhir_profiles.issues import Language
from gateway.workbench.analysis import Analysis
from gateway.workbench.words import say

NDJSON = (".ndjson", ".jsonl")


def split(documents: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Return one document a file, and one a line of an NDJSON."""
    found: list[tuple[str, bytes]] = []
    for name, content in documents:
        if name.endswith(NDJSON):
            found += [(f"{name}:{number}", line) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
        else:
            found.append((name, content))
    return found


async def show_folder(
    documents: Sequence[tuple[str, bytes]],
    analysed: Callable[[bytes], Analysis],
    *,
    opened: Callable[[bytes], Awaitable[None]],
    language: Language,
) -> None:
    """Check the documents one after the other and list what became of each."""
    listed = split(documents)
    bar = ui.linear_progress(0, show_value=False).props(f'aria-label="{say("folder", language)}" instant-feedback')
    state = ui.label(f"0 / {len(listed)}").props('role="status" data-testid=progress')
    columns = [
        {"name": "file", "label": say("file", language), "field": "file", "align": "left", "sortable": True},
        {"name": "verdict", "label": say("what", language), "field": "verdict", "align": "left", "sortable": True},
        {"name": "errors", "label": say("errors", language), "field": "errors", "sortable": True},
    ]
    table = ui.table(rows=[], columns=columns, row_key="id", pagination=10).classes("w-full").props("dense")
    rows: list[dict[str, Any]] = []
    for number, (name, content) in enumerate(listed, 1):
        analysis = await run.io_bound(analysed, content)
        if analysis is None:
            return
        errors = sum(one.severity in ("error", "fatal") for one in analysis.found)
        verdict = say("refused" if analysis.refused else "accepted", language)
        rows.append({"id": number - 1, "file": name, "verdict": verdict, "errors": errors})
        bar.value = number / len(listed)
        state.text = f"{number} / {len(listed)}"
    table.rows = rows

    async def open_row(event: GenericEventArguments) -> None:
        await opened(listed[event.args[1]["id"]][1])

    table.on("rowClick", open_row)
