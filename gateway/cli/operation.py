"""`keys check` and `topics create`. Shows ids, names and counts; never a key or a password."""

from __future__ import annotations

import os
from pathlib import Path

from fhir_profiles.errors import Misconfigured
from gateway.cli import screen
from gateway.cli.dead_letters import opened_state
from gateway.connections import kafka_connection
from gateway.settings import load_settings
from streaming.platform_keys import History, history
from transformers.deidentify.keys import PLATFORM
from transformers.deidentify.keys import check_keys as check_key_files

KEYS = "keys"


def check_keys(data_dir: Path, *, with_history: bool, as_json: bool) -> int:
    """Read every key file and show its id; `with_history`, also whose level 1 is under a replaced platform key.

    Returns 1 when history is still to be sent again. Raises Misconfigured, Unavailable (`store-missing`).
    """
    found = check_key_files(data_dir / KEYS)
    told = _history(data_dir, found.get(PLATFORM)) if with_history else None
    if as_json:
        screen.write_json(found if told is None else {**found, "history": _told(told)})
    else:
        out = screen.console()
        out.print(screen.grid(None, ("file", "id"), found.items()))
        if told is not None:
            rows = [(key, "in force" if key == told.current else "replaced", number) for key, number in told.by_key]
            out.print(screen.grid(None, ("platform key", "", "persons"), rows, right="persons"))
            out.print(
                f"{told.replaced} persons whose level 1 is under a replaced key: their Patients were not sent again"
            )
    return int(told is not None and told.replaced > 0)


def _history(data_dir: Path, current: str | None) -> History:
    """Count persons by platform key; the key file says which is in force where there is one."""
    with opened_state(data_dir) as state, state.transaction() as connection:
        return history(connection, current=current)


def _told(told: History) -> dict[str, object]:
    return {"current": told.current, "persons": dict(told.by_key), "replaced": told.replaced}


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
