"""How the command line looks: rich on stdout for people, plain stable text for machines, complaints on stderr.

Never shows a payload: callers give counts, codes, names of files and messages of the catalogue.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from rich.console import Console
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from fhir_profiles.issues import Issue, repair, text

Language = Literal["fr", "en"]
STYLES = {"fatal": "bold red", "error": "red", "warning": "yellow", "information": "blue"}
MARKS = {"fatal": "✗", "error": "✗", "warning": "!", "information": "·"}


def console() -> Console:
    """Return the console of stdout."""
    return Console(highlight=False)


def complaints() -> Console:
    """Return the console of stderr, for complaints and progress bars."""
    return Console(stderr=True, highlight=False)


def complain(line: str) -> None:
    """Write one line on stderr."""
    complaints().print(f"[red]✗[/red] {escaped(line)}", soft_wrap=True)


def escaped(line: str) -> str:
    """Protect brackets from rich's markup."""
    from rich.markup import escape

    return escape(line)


def write_json(value: Any) -> None:  # noqa: ANN401 — any JSON value
    """Write one JSON line on stdout."""
    import orjson

    write_bytes(orjson.dumps(value))


def write_bytes(line: bytes) -> None:
    """Write one line of bytes on stdout, at once."""
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def grid(title: str | None, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: str = "") -> Table:
    """Return a table; columns named in `right` (separated by spaces) hold numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", pad_edge=False)
    numbers = set(right.split())
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", no_wrap=name in numbers)
    for row in rows:
        table.add_row(*(shown(value) for value in row))
    return table


def shown(value: object) -> str:
    """Write one cell: thin spaces in large numbers, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f")
    return str(value)


def panel(body: str, title: str, *, style: str = "cyan") -> Panel:
    """Return a framed text."""
    return Panel(body, title=title, title_align="left", border_style=style, expand=False, padding=(0, 1))


class RateColumn(ProgressColumn):
    """How many a second, once that is known."""

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        return Text(f"{task.speed:.0f}/s" if task.speed is not None else "")


def progress(*, visible: bool = True) -> Progress:
    """Return a progress bar on stderr, invisible where stderr is no terminal."""
    screen = complaints()
    return Progress(
        SpinnerColumn(),
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=screen,
        disable=not (visible and screen.is_terminal),
    )


def issue_lines(issues: Iterable[Issue], *, language: Language = "fr", quoting: bool = False) -> Iterator[str]:
    """Yield one line an issue: place, sentence, repair."""
    for one in issues:
        place = f"{one.line}:{one.column} " if one.line is not None else ""
        path = f"{one.expression} — " if one.expression else ""
        advice = repair(one, language)
        yield f"{place}{path}{text(one, language, quoting=quoting)}" + (f" → {advice}" if advice else "")
