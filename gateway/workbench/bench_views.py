"""The three views of one document: what is wrong, what would leave, which rows it would become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from fhir_profiles.issues import Language, operation_outcome
from gateway.cli.reports import junit, sarif
from gateway.cli.validation import Report
from gateway.workbench.analysis import Analysis, Found, columns_of, place_of_column, shareable
from gateway.workbench.printable import printable
from gateway.workbench.words import say
from streaming.layout import logical_name

TABS = ("tab-check", "tab-leaves", "tab-rows")
SEVERITIES = (("errors", ("fatal", "error"), "wb-error"), ("warnings", ("warning",), "wb-warning"),
              ("notes", ("information",), "wb-note"))  # fmt: skip
MOST_SHOWN = 200
Go = Callable[[int | None], None]
SCROLL = """
setTimeout(() => document.querySelector('#c{element} tr.selected')?.scrollIntoView({{block: 'center'}}), 300)
"""
STRUCK = """
<q-td :props="props"><span :class="{'wb-gone': props.row.fate === 'dropped'}">{{ props.value }}</span></q-td>
"""
COLOURED = """<q-td :props="props"><span :class="'wb-' + props.row.fate">{{ props.row.told }}</span></q-td>"""
# The columns that an element feeds: a button where the row is there to be shown, plain text elsewhere.
COLUMNS = """
<q-td :props="props"><template v-for="one in props.row.columns">
<q-btn v-if="props.row.here.includes(one)" flat dense no-caps size="sm" :label="one" data-testid="forward"
  @click.stop="() => $parent.$emit('forward', one)" /><span v-else class="wb-dim"> {{ one }} </span>
</template></q-td>
"""
PATH = """<q-td :props="props"><span class="wb-path">{{ props.value }}</span></q-td>"""
FIRST = "T_MCO"
Forward = Callable[[str], None]


def check_view(analysis: Analysis, *, language: Language, go: Go) -> None:
    """Issues by severity; a click leads to the line."""
    mark = "wb-error" if analysis.refused else "wb-note"
    verdict = say("refused" if analysis.refused else "accepted", language)
    took = f"{analysis.milliseconds:.0f} {say('elapsed', language)}"
    with ui.row().classes("items-center gap-3"):
        ui.label(verdict).classes(f"text-bold {mark}").props('role="status" data-testid=verdict')
        for key, severities, style in SEVERITIES:
            number = sum(one.severity in severities for one in analysis.found)
            ui.label(f"{number} {say(key, language)}").classes(style)
        ui.label(took).classes("wb-dim")
        _downloads(analysis, language)
    if not analysis.found:
        ui.label(say("valid", language))
    for key, severities, style in SEVERITIES:
        listed = [one for one in analysis.found if one.severity in severities]
        if listed:
            ui.html(f"<h2>{say(key, language)} ({len(listed)})</h2>", sanitize=False).classes("nicegui-html")
        for one in listed[:MOST_SHOWN]:
            _issue(one, style, language=language, go=go)


def _issue(one: Found, style: str, *, language: Language, go: Go) -> None:
    place = f"{say('line', language)} {one.line}" if one.line is not None else ""
    with ui.element("article").classes(f"wb-issue {style}"):
        with ui.row().classes("items-baseline gap-2"):
            ui.label(one.expression).classes("text-bold")
            if one.line is not None:
                ui.button(place, on_click=lambda: go(one.line)).props(
                    f'flat dense no-caps size=sm data-testid=line aria-label="{say("go", language)} {one.line}"'
                )
        ui.label(one.sentence).classes("text-body2 wb-plain")
        if one.repair:
            ui.label(f"{say('repair', language)} : {one.repair}").classes("text-body2")
        source = " ".join(part for part in (one.code, one.rule, one.profile) if part)
        ui.label(source).classes("text-caption wb-dim")


def _downloads(analysis: Analysis, language: Language) -> None:
    report = Report("document.json", analysis.issues)
    forms: tuple[tuple[str, str, Callable[[], bytes]], ...] = (
        ("JSON", "outcome.json", lambda: _json(operation_outcome(analysis.issues, language=language, quoting=True))),
        ("SARIF", "report.sarif", lambda: _json(sarif([report], language))),
        ("JUnit", "report.xml", lambda: junit([report], language).encode()),
        (say("printable", language), "report.html", lambda: printable(analysis, language)),
        (say("case", language), "case.json", lambda: shareable(analysis, language)),
    )
    with ui.dropdown_button(say("download", language), auto_close=True).props("flat dense no-caps"):
        for label, name, make in forms:
            ui.item(label, on_click=lambda make=make, name=name: ui.download.content(make(), name))


def _json(value: Any) -> bytes:  # noqa: ANN401 — any JSON value
    import orjson

    return orjson.dumps(value, option=orjson.OPT_INDENT_2)


def leaving_view(analysis: Analysis, content: bytes, *, language: Language, go: Go, forward: Forward) -> None:
    """Each element that was sent beside what leaves in its place; dropped ones are struck through.

    A click on an element leads to its line, one on a column to the row that the element feeds.
    """
    if not analysis.leaving:
        ui.label(say("nothing-leaves", language))
        return
    with ui.row().classes("items-center gap-3"):
        for fate in ("kept", "changed", "dropped"):
            ui.label(f"{analysis.counts[fate]} {say(fate, language)}").classes(f"wb-{fate}").props(
                f"data-testid=count-{fate}"
            )
        wanted = ui.input(say("filter", language)).props("dense clearable")
    names = (("path", "path"), ("before", "before"), ("after", "after"), ("fate", "what"), ("rule", "why"),
             ("columns", "columns"))  # fmt: skip
    columns = [
        {"name": name, "label": say(key, language), "field": name, "align": "left", "sortable": True}
        for name, key in names
    ]
    written = {logical_name(name) for name in analysis.tables}
    rows = [
        {
            "id": number,
            "path": one.path,
            "before": one.before,
            "after": one.after,
            "rule": one.rule,
            "fate": one.fate,
            "told": say(one.fate, language),
            "columns": one.columns,
            "here": [name for name in one.columns if name.partition(".")[0] in written],
        }
        for number, one in enumerate(analysis.leaving)
    ]
    table = ui.table(rows=rows, columns=columns, row_key="id", pagination=25).classes("w-full").props("dense")
    table.add_slot("body-cell-path", PATH)
    table.add_slot("body-cell-before", STRUCK)
    table.add_slot("body-cell-fate", COLOURED)
    table.add_slot("body-cell-columns", COLUMNS)
    wanted.bind_value_to(table, "filter")

    def open_row(event: GenericEventArguments) -> None:
        from fhir_profiles.positions import locate

        path = event.args[1]["path"]
        go(locate(content, [path])[path][0])

    table.on("rowClick", open_row)
    table.on("forward", lambda event: forward(str(event.args)))
    ui.link(say("rules-page", language), "/workbench/rules")


def rows_view(analysis: Analysis, content: bytes, *, language: Language, go: Go) -> Forward:
    """The rows that would be written, one tab a table; a click on a column leads to its element.

    Returns what shows a column (`T_MCOaaB.DGN_PAL`): its table comes to the front, the line is marked.
    """
    for stay in analysis.stays:
        key = {"written": "stay-written", "open": "stay-open"}.get(stay.status, "stay-quarantined")
        style = "wb-error" if key == "stay-quarantined" else "wb-note"
        told = f"{say(key, language)} — {stay.reason}: {stay.repair}" if stay.reason else say(key, language)
        ui.label(told).classes(style).props("data-testid=stay")
    if not analysis.tables:
        ui.label(say("no-rows", language))
        return lambda _: None
    names = sorted(analysis.tables, key=lambda one: (not one.startswith(FIRST), one))
    with ui.tabs().props("dense no-caps outside-arrows mobile-arrows align=left") as tabs:
        for name in names:
            ui.tab(name, label=f"{name} ({len(analysis.tables[name])})")
    drawn = {}
    with ui.tab_panels(tabs, value=names[0], animated=False).classes("w-full").props("keep-alive") as panels:
        for name in names:
            with ui.tab_panel(name).classes("p-0"):
                drawn[name] = _table(analysis, name, content, language=language, go=go)

    def show(column: str) -> None:
        logical, _, wanted = column.partition(".")
        name = next(one for one in names if logical_name(one) == logical)
        panels.value = name
        table = drawn[name]
        table.selected = [line for line in table.rows if line["column"] == wanted]
        ui.run_javascript(SCROLL.format(element=table.id))

    return show


def _table(analysis: Analysis, name: str, content: bytes, *, language: Language, go: Go) -> ui.table:
    rows, described = analysis.tables[name], columns_of(name, language)
    names = (("column", "column"), ("value", "value"), ("label", "label"), ("elements", "source"), ("rule", "rule"))
    columns = [
        {"name": key, "label": say(word, language), "field": key, "align": "left", "sortable": True}
        for key, word in names
    ]

    def lines(number: int) -> list[dict[str, str]]:
        return [
            {"column": column, "value": "" if value is None else str(value), "label": label,
             "elements": meaning.elements, "rule": meaning.rule}
            for (column, label, meaning), value in zip(described, rows[number], strict=True)
        ]  # fmt: skip

    table = ui.table(rows=lines(0), columns=columns, row_key="column", pagination=0).classes("w-full").props("dense")
    if len(rows) > 1:
        ui.label(say("row", language))
        pages = ui.pagination(1, len(rows), direction_links=True, value=1)
        pages.on_value_change(lambda event: table.update_rows(lines(int(event.value) - 1)))

    def open_row(event: GenericEventArguments) -> None:
        go(place_of_column(content, name, event.args[1]["column"]))

    table.on("rowClick", open_row)
    return table
