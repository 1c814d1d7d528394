"""Every published count comes from `streaming.aggregates`: nobody else counts rows for readers or masks them.

Free SQL is row-level access and is not a publication; metrics by code, rule or status of stays move in its steps.
"""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, RenderableType

from gateway.cli import demo_story
from streaming.aggregates import MINIMUM
from tests.support.small_lake import publish, reading, stay, stays

ROOT = Path(__file__).resolve().parents[2]
SQL_COUNT = re.compile(r"\bcount\s*\(", re.IGNORECASE)
# Who may ask a database how many there are, and why it is no publication of its own.
COUNTING = {
    "gateway/cli/demo_story.py": "shows what `publishable` and `count` let through (below)",
    "gateway/cli/commands_analysis.py": "an example of free SQL in the help of `sql`",
    "gateway/workbench/explorer_page.py": "examples for the box of free SQL: row-level access, said there",
}
# Who shows counts of stays, rows or persons, and builds every one of them there.
PUBLISHERS = (
    "gateway/account_metrics.py", "gateway/cli/demo_story.py", "gateway/cli/reconciling.py", "gateway/metrics.py",
    "gateway/workbench/explorer_page.py", "streaming/quality.py",
)  # fmt: skip


def modules(package: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def texts(tree: ast.Module) -> Iterator[str]:
    yield from (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def imports(tree: ast.Module) -> set[str]:
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "streaming.aggregates"
        for alias in node.names
    }


def test_nobody_on_the_side_of_readers_counts_rows_but_where_it_is_listed() -> None:
    counting = {path for path, tree in modules("gateway") if any(SQL_COUNT.search(text) for text in texts(tree))}

    assert counting == set(COUNTING)


def test_those_who_publish_counts_take_them_from_the_one_function() -> None:
    using = {path for package in ("gateway", "streaming") for path, tree in modules(package) if imports(tree)}
    builders = {"aggregate", "publishable", "count", "share", "stepped"}
    found = {path: imports(tree) for package in ("gateway", "streaming") for path, tree in modules(package)}

    assert set(PUBLISHERS) <= using
    assert all(found[path] & builders for path in PUBLISHERS)


def test_the_threshold_is_written_once() -> None:
    """A module that masks by itself would compare with 11: only `aggregates` does."""
    comparing = {
        path
        for package in ("gateway", "streaming")
        for path, tree in modules(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and any(isinstance(one, ast.Constant) and one.value in (10, MINIMUM) for one in (node.left, *node.comparators))
    }
    assigned = {
        path
        for package in ("gateway", "streaming")
        for path, tree in modules(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.value.value == MINIMUM
    }

    assert comparing == set()
    assert assigned == {"streaming/aggregates.py"}


def printed(shown: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_demonstration_shows_no_small_number_of_rows_or_stays(tmp_path: Path) -> None:
    few = [stay(n, person=f"M{n:016d}") for n in range(3)]
    many = [stay(100 + n, COD_SEX="2", person=f"W{n:016d}") for n in range(40)]
    publish(tmp_path, stays(*few, *many) | {"T_MCO24A": [{}, {}, {}]})

    with reading(tmp_path) as connection:
        tables, question = printed(demo_story.tables(connection)), printed(demo_story.question(connection))
        asked = connection.execute("SELECT count(*) FROM T_MCO24B WHERE COD_SEX = '1'").fetchone()

    assert asked == (3,)
    rows = [[cell.strip() for cell in line.split("│")] for line in tables.splitlines() if "T_MCO" in line]
    numbers = {name: number for _, name, number, *_ in rows}
    assert (numbers["T_MCOaaA"], numbers["T_MCOaaB"], numbers["T_MCOaaD"]) == (f"< {MINIMUM}", "43", "0")
    assert re.search(rf"│\s+< {MINIMUM}\s+│\s+40", question)
