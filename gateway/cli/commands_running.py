"""Declarations: serve, tables, status, events tail, demo. The work is in modules loaded when a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import DEFAULT_DATA_DIR, DataDir, Shown, ShownAs, example

PANEL = "Running"
DEMO_DIR = Path("demo-data")


def declare(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    app.command(rich_help_panel=PANEL, epilog=example("snds-gateway serve --data-dir data --port 8080"))(serve)
    tables = typer.Typer(help="The table writer.", no_args_is_help=True, rich_markup_mode="rich")
    tables.command("run", epilog=example("snds-gateway tables run --data-dir data"))(run_tables)
    tables.command(
        "rebuild", epilog=example("snds-gateway tables rebuild", "snds-gateway tables rebuild --move-to-postgresql")
    )(rebuild_tables)
    app.add_typer(tables, name="tables", rich_help_panel=PANEL)
    app.command(
        rich_help_panel=PANEL,
        epilog=example("snds-gateway status --wait-idle 30", "snds-gateway status --format json"),
    )(status)
    events = typer.Typer(help="The stream of de-identified events.", no_args_is_help=True, rich_markup_mode="rich")
    events.command("tail", epilog=example("snds-gateway events tail --from 1 --format json"))(tail)
    app.add_typer(events, name="events", rich_help_panel=PANEL)
    app.command(rich_help_panel=PANEL, epilog=example("snds-gateway demo", "snds-gateway demo --keep"))(demo)


def serve(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Gateway processes.")] = None,
) -> None:
    """Run the gateway; in embedded mode the table writer runs beside it. Ends at SIGTERM or Ctrl-C."""
    from gateway.cli.serving import serve as work

    raise typer.Exit(work(data_dir, host=host, port=port, workers=workers))


def run_tables(*, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Run a table writer alone: events become tables, tables become publications of the lake."""
    from gateway.cli.serving import run_tables as work

    raise typer.Exit(work(data_dir))


def rebuild_tables(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    move: Annotated[
        bool,
        typer.Option("--move-to-postgresql", help="First copy the state of D/ops.sqlite to the empty database."),
    ] = False,
) -> None:
    """Compute every row anew from the state, and swap the new tables in; never beside a running writer."""
    from gateway.cli.rebuilding import rebuild as work

    raise typer.Exit(work(data_dir, move=move))


def status(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    wait_idle: Annotated[
        float | None,
        typer.Option("--wait-idle", min=0, metavar="SECONDS", help="Publish now; return when nothing is left to do."),
    ] = None,
    form: ShownAs = Shown.human,
) -> None:
    """Show the accounts: received, refused, published, applied, lag, stays by what became of them."""
    from gateway.cli.accounting import show_status

    raise typer.Exit(show_status(data_dir, wait_s=wait_idle, as_lines=form is Shown.json))


def tail(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    start: Annotated[
        int | None, typer.Option("--from", min=0, metavar="N", help="The first offset to read (of every partition).")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for more instead of ending at the last one.")] = False,
    form: ShownAs = Shown.human,
) -> None:
    """Read events as a consumer does; JSON: one line an event, offset, key, headers, value."""
    from gateway.cli.accounting import tail as work

    raise typer.Exit(work(data_dir, start=start, follow=follow, as_lines=form is Shown.json))


def demo(
    *,
    data_dir: Annotated[
        Path, typer.Option("--data-dir", file_okay=False, help="Folder of the demonstration; made anew each time.")
    ] = DEMO_DIR,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the server up.")] = False,
    stays: Annotated[int, typer.Option("--stays", min=20, help="How many stays.")] = 200,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Default: a free one.")] = None,
) -> None:
    """Show the whole line on a fictitious hospital, in under a minute."""
    from gateway.cli.demo import demo as work

    raise typer.Exit(work(data_dir, keep=keep, stays=stays, port=port))
