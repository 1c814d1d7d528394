"""`tables rebuild`: every row computed anew from the state, in the store that the settings name."""

from __future__ import annotations

import os
from pathlib import Path

from fhir_profiles.errors import Misconfigured
from gateway.cli import screen
from gateway.cli.acts import record
from gateway.connections import postgres_connection
from gateway.settings import load_settings
from gateway.table_rules import table_rules
from streaming.rebuild import move_to_postgres, rebuild_postgres
from streaming.rebuild import rebuild as rebuild_embedded


def rebuild(data_dir: Path, *, move: bool) -> int:
    """Rebuild and say whether any row changed. Raises Misconfigured (`writer-running`, `store-not-empty`)."""
    postgres = postgres_connection(load_settings(data_dir, os.environ))
    rules = table_rules(data_dir)
    if move and postgres is None:
        raise Misconfigured("setting-missing", "sink: --move-to-postgresql needs sink = postgresql and postgres_dsn")
    if postgres is None:
        done = rebuild_embedded(data_dir, rules=rules)
    elif move:
        done = move_to_postgres(data_dir, postgres, rules=rules)
    else:
        done = rebuild_postgres(postgres, rules=rules)
    record(data_dir, "tables rebuild", digest_before=done.before, digest_after=done.after)
    told = "every row is as it was" if done.same else "rows changed: rules or reference data are not those of before"
    screen.console().print(f"[green]✓[/green] rebuilt; {told} (digest {done.after[:16]})")
    return 0
