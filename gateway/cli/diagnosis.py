"""`config check` and `doctor`: would `serve` (a table writer's folder: `tables run`) start, is its ground sound?

Reads only, but for one small file that measures the disk. Shows names, sizes, counts and codes; never a value.
"""

from __future__ import annotations

import os
from pathlib import Path

from gateway import credentials
from gateway.cli import screen
from gateway.cli.findings import KEYS, Finding, configuration, ground, network, parted_keys, stores
from gateway.connections import kafka_connection, postgres_connection
from gateway.contracts import Hospitals, load_contracts, load_hospitals
from gateway.settings import Settings, load_settings
from gateway.table_rules import table_rules
from transformers.deidentify.keys import LEDGER, PLATFORM, check_keys, load_gateway_keys, load_table_keys

CONFIGURATION = 78
MARKS = {"ok": "[green]✓[/green]", "note": "[blue]·[/blue]", "warning": "[yellow]![/yellow]", "error": "[red]✗[/red]"}


def check(data_dir: Path) -> int:
    """Read settings, contracts and keys as `serve` or `tables run` does. Raises Misconfigured, which ends with 78."""
    settings, found = read_folder(data_dir)
    screen.console().print(f"[green]✓[/green] {found}; log: {settings.broker}, tables: {settings.sink}")
    return 0


def read_folder(data_dir: Path) -> tuple[Settings, str]:
    """Load what the folder is for; return its settings and what it holds. Raises Misconfigured."""
    if is_writers(data_dir):
        settings = read_writer_configuration(data_dir)
        return settings, f"a table writer, {len(load_contracts(data_dir))} hospitals"
    settings, hospitals = read_configuration(data_dir)
    return settings, f"{len(hospitals.contracts)} hospitals, {len(hospitals.credentials)} API keys"


def is_writers(data_dir: Path) -> bool:
    """Say whether the folder is a table writer's of the server form: nobody calls it, it has no key of level 1."""
    alone = not any((data_dir / name).exists() for name in (credentials.FILE, f"{KEYS}/{PLATFORM}", f"{KEYS}/{LEDGER}"))
    return alone and load_settings(data_dir, os.environ).broker == "kafka"


def read_configuration(data_dir: Path) -> tuple[Settings, Hospitals]:
    """Load everything that an operator writes. Raises Misconfigured for the first thing that is wrong."""
    settings = load_settings(data_dir, os.environ)
    hospitals = load_hospitals(data_dir)
    check_keys(data_dir / KEYS)
    for finess in hospitals.contracts:
        load_gateway_keys(data_dir / KEYS, finess)
    if settings.broker == "embedded":
        load_table_keys(data_dir / KEYS)
    _read_connections(settings)
    return settings, hospitals


def read_writer_configuration(data_dir: Path) -> Settings:
    """Load what `tables run` of the server form reads. Raises Misconfigured for the first thing that is wrong."""
    settings = load_settings(data_dir, os.environ)
    check_keys(data_dir / KEYS)
    table_rules(data_dir)
    _read_connections(settings)
    return settings


def _read_connections(settings: Settings) -> None:
    if settings.broker == "kafka":
        kafka_connection(settings)
    postgres_connection(settings)


def doctor(data_dir: Path, *, as_json: bool) -> int:
    """Examine everything and show each finding; 78 when the configuration is wrong, 1 when something else is."""
    found: list[Finding] = [*ground(data_dir)]
    read, problems = configuration(lambda: read_folder(data_dir))
    found += problems
    found += stores(data_dir)
    if read is not None:
        found += parted_keys(data_dir, read[0])
        found += network(read[0], serves=not is_writers(data_dir))
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
