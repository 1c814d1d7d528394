"""`keys rotate tables`: a new key of level 2, and every identifier of every row under it. No identity is needed.

Level 1 stands in the state, so rows are computed anew. A rotation that dies is finished by the writer's next start.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from fhir_profiles.errors import Misconfigured
from gateway.cli import screen
from gateway.cli.acts import record
from gateway.connections import postgres_connection
from gateway.files import FOLDER
from gateway.settings import load_settings
from gateway.table_rules import table_rules
from streaming.factory import open_store
from streaming.postgres import PostgresConnection
from streaming.rebuild import rebuild, rebuild_postgres
from streaming.state import REBUILDING
from transformers.deidentify.keys import KEY_BYTES, TABLES, read_key

KEYS = "keys"
RETIRED = "retired"
NEXT = "tables.next"


def rotate_tables(data_dir: Path) -> int:
    """Make the key, swap it in, rebuild. Raises Misconfigured (`writer-running`)."""
    postgres = postgres_connection(load_settings(data_dir, os.environ))
    old = read_key(data_dir / KEYS / TABLES).key_id
    _swap(data_dir, postgres, old)
    rules = table_rules(data_dir)
    if postgres is None:
        rebuild(data_dir, rules=rules)
    else:
        rebuild_postgres(postgres, rules=rules)
    new = read_key(data_dir / KEYS / TABLES).key_id
    record(data_dir, "keys rotate", key=TABLES, old_key=old, new_key=new)
    screen.console().print(
        f"[green]✓[/green] {TABLES} is {new} now, every row is under it; the old one is in {KEYS}/{RETIRED}"
    )
    if postgres is not None:
        screen.console().print("other table writers need the new file before they start")
    return 0


def _swap(data_dir: Path, postgres: PostgresConnection | None, old: str) -> None:
    """Mark every row as to be computed anew, then change the key: a crash leaves the rest to the writer."""
    folder = data_dir / KEYS
    store = open_store(data_dir, postgres=postgres)
    try:
        if postgres is not None:
            _refuse_company(store)
        with store.state.transaction():
            store.state.note(REBUILDING, "yes")
            store.state.mark_everybody()
        _write_next(folder / NEXT)
        (folder / RETIRED).mkdir(mode=FOLDER, exist_ok=True)
        kept = folder / RETIRED / f"tables-{old}.key"
        if not kept.exists():
            os.link(folder / TABLES, kept)
        (folder / NEXT).replace(folder / TABLES)
    finally:
        store.close()


def _refuse_company(store: object) -> None:
    from streaming.postgres_store import PostgresStore

    if isinstance(store, PostgresStore) and not store.alone():
        raise Misconfigured("writer-running", "other table writers are at work on this database; stop them first")


def _write_next(file: Path) -> None:
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
    with os.fdopen(descriptor, "w", encoding="ascii") as written:
        written.write(secrets.token_hex(KEY_BYTES) + "\n")
        written.flush()
        os.fsync(written.fileno())
