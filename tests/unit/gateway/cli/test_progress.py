"""The progress bar tells how far, how fast and how long still."""

from __future__ import annotations

import io
import itertools

from rich.console import Console
from rich.progress import Progress

from gateway.cli import screen


def test_the_bar_shows_rate_and_time_left() -> None:
    out = Console(file=io.StringIO(), width=160, force_terminal=True)
    seconds = itertools.count()
    with Progress(
        *screen.progress().columns, console=out, auto_refresh=False, get_time=lambda: float(next(seconds))
    ) as bar:
        task = bar.add_task("push", total=100)
        for _ in range(5):
            bar.advance(task, 10)
        shown = Console(file=io.StringIO(), width=160)
        shown.print(bar.make_tasks_table(bar.tasks))

    text = shown.file.getvalue()  # type: ignore[attr-defined]
    assert "50/100" in text
    assert "10/s" in text
    assert "0:00:05" in text
