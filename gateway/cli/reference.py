"""`reference load|check`: the operator's tables, what was left out of them, and what stands where there is none."""

from __future__ import annotations

from pathlib import Path

from gateway.cli import screen
from gateway.cli.acts import record
from streaming.reference_store import held, load

SHOWN = 20


def load_table(data_dir: Path, name: str, source: Path) -> int:
    """Check a file, keep its right lines, show the wrong ones."""
    table = load(data_dir, name, source)
    record(data_dir, "reference load", table=name, rows=len(table.rows), left_out=len(table.problems))
    out = screen.console()
    out.print(f"[green]✓[/green] {name}: {len(table.rows)} lines kept", soft_wrap=True)
    for one in table.problems[:SHOWN]:
        screen.complain(f"line {one.line}, {one.column}: {one.code}")
    if len(table.problems) > SHOWN:
        screen.complain(f"and {len(table.problems) - SHOWN} more lines left out")
    out.print(
        "It counts from the writer's next start; `snds-gateway tables rebuild` applies it to every row.", style="dim"
    )
    return 0


def check_tables(data_dir: Path, *, as_json: bool) -> int:
    """Show every table that may be loaded; 1 when one that is held has a wrong line."""
    found = list(held(data_dir))
    wrong = any(one.table is not None and one.table.problems for one in found)
    if as_json:
        for one in found:
            screen.write_json(
                {
                    "name": one.kind.name,
                    "rows": len(one.table.rows) if one.table else None,
                    "problems": len(one.table.problems) if one.table else 0,
                    "digest": one.digest or None,
                    "fallback": None if one.table else one.kind.fallback,
                }
            )
        return int(wrong)
    rows = [
        (one.kind.name, len(one.table.rows), one.digest, f"{len(one.table.problems)} wrong lines")
        if one.table
        else (one.kind.name, None, "", f"absent: {one.kind.fallback}")
        for one in found
    ]
    screen.console().print(screen.grid(None, ("table", "lines", "digest", " "), rows, right="lines"))
    return int(wrong)
