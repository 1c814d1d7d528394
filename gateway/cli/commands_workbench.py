"""Declaration: workbench. The work is in modules loaded when the command runs."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.options import DEFAULT_DATA_DIR, DataDir, example

PANEL = "Running"


def declare(app: typer.Typer) -> None:
    """Add the command to the tree."""
    app.command(rich_help_panel=PANEL, epilog=example("snds-gateway workbench --data-dir data --port 8090"))(workbench)


def workbench(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8090,
) -> None:
    """Open the integrator's workbench: what the gateway sees, in the browser. Nothing that is dropped is stored."""
    from gateway.workbench.server import run

    raise typer.Exit(run(data_dir, host=host, port=port))
