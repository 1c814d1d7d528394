"""`config check` and `doctor`: would `serve` start, and is what it stands on sound?

Reads only, but for one small file that measures the disk. Shows names, sizes, counts and codes; never a value.
"""

from __future__ import annotations

import os
from pathlib import Path

from gateway.cli import screen
from gateway.cli.findings import Finding, configuration, ground, network, stores
from gateway.connections import kafka_connection, postgres_connection
from gateway.contracts import Hospitals, load_hospitals
from gateway.settings import Settings, load_settings
from transformers.deidentify.keys import check_keys, load_gateway_keys, load_table_keys

CONFIGURATION = 78
KEYS = "keys"
MARKS = {"ok": "[green]✓[/green]", "note": "[blue]·[/blue]", "warning": "[yellow]![/yellow]", "error": "[red]✗[/red]"}


def check(data_dir: Path) -> int:
    """Read settings, contracts and keys as `serve` does. Raises Misconfigured, which ends with 78."""
    settings, hospitals = read_configuration(data_dir)
    screen.console().print(
        f"[green]✓[/green] {len(hospitals.contracts)} hospitals, {len(hospitals.credentials)} API keys;"
        f" log: {settings.broker}, tables: {settings.sink}"
    )
    return 0


def read_configuration(data_dir: Path) -> tuple[Settings, Hospitals]:
    """Load everything that an operator writes. Raises Misconfigured for the first thing that is wrong."""
    settings = load_settings(data_dir, os.environ)
    hospitals = load_hospitals(data_dir)
    check_keys(data_dir / KEYS)
    for finess in hospitals.contracts:
        load_gateway_keys(data_dir / KEYS, finess)
    if settings.broker == "embedded":
        load_table_keys(data_dir / KEYS)
    if settings.broker == "kafka":
        kafka_connection(settings)
    postgres_connection(settings)
    return settings, hospitals


def doctor(data_dir: Path, *, as_json: bool) -> int:
    """Examine everything and show each finding; 78 when the configuration is wrong, 1 when something else is."""
    found: list[Finding] = [*ground(data_dir)]
    read, problems = configuration(lambda: read_configuration(data_dir))
    found += problems
    found += stores(data_dir)
    if read is not None:
        found += network(read[0])
    for one in found:
        _show(one, as_json=as_json)
    if read is None:
        return CONFIGURATION
    return int(any(one.state == "error" for one in found))


def _show(one: Finding, *, as_json: bool) -> None:
    if as_json:
        screen.write_json({"check": one.check, "state": one.state, "detail": one.detail})
    else:
        line = f"{MARKS[one.state]} [bold]{one.check:<14}[/bold] {screen.escaped(one.detail)}"
        screen.console().print(line, soft_wrap=True)
