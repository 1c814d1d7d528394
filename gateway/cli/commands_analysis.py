"""Declarations: sql, export. The work is in modules loaded when a command runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import DEFAULT_DATA_DIR, DataDir, example

PANEL = "Analysis"


class AnswerForm(StrEnum):
    """How an answer is written."""

    table = "table"
    csv = "csv"
    json = "json"


class FileForm(StrEnum):
    """What `export` writes."""

    parquet = "parquet"
    csv = "csv"
    scalpel = "scalpel"


def declare(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    app.command(
        rich_help_panel=PANEL,
        epilog=example('snds-gateway sql "SELECT DGN_PAL, count(*) FROM T_MCO24B GROUP BY 1 ORDER BY 2 DESC"'),
    )(sql)
    app.command(rich_help_panel=PANEL, epilog=example("snds-gateway export --to extraction --format csv"))(export)


def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SQL query on the published tables.")],
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    form: Annotated[AnswerForm, typer.Option("--format", help="How the answer is written.")] = AnswerForm.table,
) -> None:
    """Ask the lake: read-only, official table names (T_MCO24B, IR_BEN_R…).

    Rows are pseudonymised personal data. A result that leaves the team must not show cells under 11.
    """
    from gateway.cli.queries import sql as work

    raise typer.Exit(work(data_dir, query, form=form.value))


def export(
    *,
    to: Annotated[Path, typer.Option("--to", file_okay=False, help="Folder that is made and filled.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
    form: Annotated[
        FileForm, typer.Option("--format", help="csv: `;` and dd/MM/yyyy; scalpel: the same, as SCALPEL reads it.")
    ] = FileForm.parquet,
) -> None:
    """Write every published table into a folder, all of one publication."""
    from gateway.cli.exporting import export as work

    raise typer.Exit(work(data_dir, to, form=form.value))
