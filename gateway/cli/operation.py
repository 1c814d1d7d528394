"""`keys check` and `topics create`. Shows ids and names; never a key or a password."""

from __future__ import annotations

import os
from pathlib import Path

from fhir_profiles.errors import Misconfigured
from gateway.cli import screen
from gateway.connections import kafka_connection
from gateway.settings import load_settings
from transformers.deidentify.keys import check_keys as check_key_files

KEYS = "keys"


def check_keys(data_dir: Path, *, as_json: bool) -> int:
    """Read every key file and show its id. Raises Misconfigured."""
    found = check_key_files(data_dir / KEYS)
    if as_json:
        screen.write_json(found)
    else:
        screen.console().print(screen.grid(None, ("file", "id"), found.items()))
    return 0


def create_topics(data_dir: Path) -> int:
    """Create the missing topics. Raises Misconfigured, Unavailable."""
    settings = load_settings(data_dir, os.environ)
    if settings.broker != "kafka":
        raise Misconfigured("setting-invalid", "broker: the embedded log has no topics; set broker = kafka")
    from streaming.topics import create_topics as work

    connection = kafka_connection(settings)
    made = work(connection, replication=settings.kafka_replication, min_isr=settings.kafka_min_isr)
    for name in made:
        screen.console().print(f"[green]✓[/green] {name}")
    if not made:
        screen.console().print("every topic existed")
    return 0
