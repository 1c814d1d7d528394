"""`deadletter list|show|replay`: events that could not be applied, by code; applied after all once the fault is mended.

Shows what a dead letter holds: de-identified events. Never an exception text, and no value unless asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from fhir_profiles.errors import Misconfigured, Unavailable
from gateway.cli import screen
from gateway.cli.acts import record
from gateway.connections import postgres_connection
from gateway.settings import load_settings
from gateway.table_rules import table_rules
from streaming import dead_letter
from streaming.accounts import STATE
from streaming.dead_letter import DeadLetter
from streaming.factory import open_state
from streaming.replay import replay as replay_letters
from streaming.state import State

SHOWN = 500


def list_letters(data_dir: Path, *, code: str | None, key: str | None, as_json: bool) -> int:
    """List dead letters, the oldest first."""
    with opened_state(data_dir) as state:
        found = dead_letter.letters(state.connection, code=code, key=key, most=SHOWN)
    if as_json:
        for one in found:
            screen.write_json(_described(one))
        return 0
    rows = [
        (one.record.partition, one.record.offset, one.code, one.stage, one.record.event.headers.get("ce_time", ""))
        for one in found
    ]
    columns = ("partition", "offset", "code", "stage", "received")
    screen.console().print(screen.grid(None, columns, rows, right="partition offset"))
    more = f", the first {SHOWN} shown" if len(found) == SHOWN else ""
    screen.console().print(f"{len(found)} dead letters{more}", style="dim")
    return 0


def show_letter(data_dir: Path, offset: int, *, partition: int) -> int:
    """Show one dead letter with its de-identified event. Raises Misconfigured when there is none at that place."""
    with opened_state(data_dir) as state:
        found = dead_letter.letters(state.connection, after=(partition, offset - 1), most=1)
    if not found or (found[0].record.partition, found[0].record.offset) != (partition, offset):
        raise Misconfigured("dead-letter-unknown", f"no dead letter at partition {partition}, offset {offset}")
    [letter] = found
    try:
        value = orjson.loads(letter.record.event.value)
    except orjson.JSONDecodeError:  # the reason it is here
        value = None
    screen.write_json(_described(letter) | {"value": value})
    return 0


def replay(data_dir: Path, *, code: str | None, key: str | None, everything: bool) -> int:
    """Apply again what can be applied now; 1 when some remain. Raises Misconfigured when nothing was chosen."""
    if not (code or key or everything):
        raise Misconfigured("replay-what", "choose: --all, --code CODE, or --patient-key KEY")
    rules = table_rules(data_dir)
    with opened_state(data_dir) as state:
        done = replay_letters(state, rules=rules, code=code, key=key)
    record(data_dir, "deadletter replay", applied=done.applied, kept=done.kept)
    screen.console().print(f"{done.applied} applied, {done.kept} still cannot be")
    return int(done.kept > 0)


@contextmanager
def opened_state(data_dir: Path) -> Iterator[State]:
    """Open the state of the table writer, beside the writer, and close it. Raises Unavailable when there is none."""
    postgres = postgres_connection(load_settings(data_dir, os.environ))
    if postgres is None and not (data_dir / STATE).is_file():
        raise Unavailable("store-missing")
    state = open_state(data_dir, postgres=postgres)
    try:
        yield state
    finally:
        state.close()


def _described(one: DeadLetter) -> dict[str, object]:
    record = one.record
    return {
        "partition": record.partition,
        "offset": record.offset,
        "code": one.code,
        "stage": one.stage,
        "key": record.event.key,
        "headers": dict(record.event.headers),
        "bytes": len(record.event.value),
    }
