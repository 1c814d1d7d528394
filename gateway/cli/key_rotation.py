"""`keys rotate tables` and `keys rotate platform`: a new key in the place of another, which is kept among the retired.

Level 2 needs no identity: level 1 stands in the state, so rows are computed anew; a rotation that dies is finished by
the writer's next start. Level 1 is made from identities: persons get their new values as they are sent again.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from fhir_profiles.errors import Misconfigured
from gateway.cli import screen
from gateway.cli.acts import record
from gateway.connections import postgres_connection
from gateway.files import FOLDER, alone
from gateway.settings import load_settings
from gateway.table_rules import table_rules
from streaming.factory import open_store
from streaming.postgres import PostgresConnection
from streaming.rebuild import rebuild, rebuild_postgres
from streaming.state import REBUILDING
from transformers.deidentify.keys import (
    FORMER_PLATFORM,
    KEY_BYTES,
    PLATFORM,
    RETIRED,
    TABLES,
    former_platform_keys,
    read_key,
)
from transformers.deidentify.pseudonyms import Key

KEYS = "keys"
RETIRED_TABLES = "tables-{}.key"


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


def rotate_platform(data_dir: Path, given: Path | None) -> int:
    """Put a new key of level 1 in place: the one that the platform gave, or one made here. Raises Misconfigured."""
    folder = data_dir / KEYS
    with alone(data_dir):
        old = read_key(folder / PLATFORM)
        if given is not None:
            _refuse_known(folder, read_key(given))
        text = given.read_text(encoding="ascii").strip().lower() if given else secrets.token_hex(KEY_BYTES)
        _replace(folder, PLATFORM, FORMER_PLATFORM.format(old.key_id), text)
    new = read_key(folder / PLATFORM).key_id
    record(data_dir, "keys rotate", key=PLATFORM, old_key=old.key_id, new_key=new)
    out = screen.console()
    out.print(f"[green]✓[/green] {PLATFORM} is {new} now, for the register the old one is kept in {KEYS}/{RETIRED}")
    out.print(f"every gateway of the platform: keys rotate platform --platform-key {PLATFORM}, before it sends again")
    out.print("every hospital: send the Patients again, with their Coverages; until then a person keeps its old values")
    out.print("keys check --history, where the tables are, counts who was not sent again yet")
    return 0


def _refuse_known(folder: Path, given: Key) -> None:
    """A key that is in use here for anything, or was replaced, is no new key."""
    if given in (*map(read_key, sorted(folder.glob("*.key"))), *former_platform_keys(folder)):
        raise Misconfigured("key-shared", "the key given is in use here, or was replaced before")


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
        _replace(folder, TABLES, RETIRED_TABLES.format(old), secrets.token_hex(KEY_BYTES))
    finally:
        store.close()


def _refuse_company(store: object) -> None:
    from streaming.postgres_store import PostgresStore

    if isinstance(store, PostgresStore) and not store.alone():
        raise Misconfigured("writer-running", "other table writers are at work on this database; stop them first")


def _replace(folder: Path, name: str, retired: str, text: str) -> None:
    """Put a new key in the place of one, which is among the retired before: a crash loses neither."""
    following = folder / f"{name.removesuffix('.key')}.next"
    following.unlink(missing_ok=True)
    descriptor = os.open(following, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
    with os.fdopen(descriptor, "w", encoding="ascii") as written:
        written.write(text + "\n")
        written.flush()
        os.fsync(written.fileno())
    (folder / RETIRED).mkdir(mode=FOLDER, exist_ok=True)
    kept = folder / RETIRED / retired
    if not kept.exists():
        os.link(folder / name, kept)
    following.replace(folder / name)
