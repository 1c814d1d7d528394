"""`status` and `events tail`: what the installation counted, and the stream as a consumer reads it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from gateway.cli import screen
from gateway.connections import kafka_connection, postgres_connection
from gateway.settings import FILE, load_settings
from streaming.accounts import Status, status, wait_idle
from streaming.event import Record
from streaming.reading import as_json, events
from streaming.received import read_records

if TYPE_CHECKING:
    from streaming.topics import KafkaConnection

QUARANTINE_SHOWN = 8


def show_status(data_dir: Path, *, wait_s: float | None, as_lines: bool) -> int:
    """Show the accounts; with `wait_s`, first wait until nothing is left to apply and the lake shows it."""
    settings = load_settings(data_dir, os.environ)
    kafka = kafka_connection(settings) if settings.broker == "kafka" else None
    postgres = postgres_connection(settings)
    in_time = wait_idle(data_dir, wait_s, kafka=kafka, postgres=postgres) if wait_s is not None else True
    now = status(data_dir, kafka=kafka, postgres=postgres)
    if as_lines:
        screen.write_json(now.to_json())
    else:
        _print(now)
    if now.stopped is not None:
        screen.complain(f"the table writer stopped: {now.stopped}")
    elif not in_time:
        screen.complain(f"not idle after {wait_s:g} s: is `serve` (or `tables run`) up?")
    return 0 if in_time and now.stopped is None else 1


def tail(data_dir: Path, *, start: int | None, follow: bool, as_lines: bool) -> int:
    """Write the events, one line each; from `start` on in every partition."""
    out = screen.console()
    kafka = _kafka(data_dir)
    for record in _records(data_dir, kafka, start=start, follow=follow):
        if as_lines:
            screen.write_bytes(as_json(record, partitioned=kafka is not None))
            continue
        kinds: dict[str, int] = {}
        for entry in orjson.loads(record.event.value)["entry"]:
            kind = entry["resource"]["resourceType"]
            kinds[kind] = kinds.get(kind, 0) + 1
        resources = " ".join(f"{kind}×{number}" if number > 1 else kind for kind, number in sorted(kinds.items()))
        out.print(
            f"[bold]{_place(record, kafka):>8}[/bold]  {record.event.headers['ce_time']}"
            f"  [cyan]{record.event.key}[/cyan]  {len(record.event.value):,} bytes  [dim]{resources}[/dim]",
            soft_wrap=True,
        )
    return 0


def _kafka(data_dir: Path) -> KafkaConnection | None:
    """Return where the brokers are; None in the embedded form, whose log can be read without settings."""
    if not (data_dir / FILE).is_file():
        return None
    settings = load_settings(data_dir, os.environ)
    return kafka_connection(settings) if settings.broker == "kafka" else None


def _records(data_dir: Path, kafka: KafkaConnection | None, *, start: int | None, follow: bool) -> Iterator[Record]:
    if kafka is None:
        return events(data_dir, from_offset=1 if start is None else start, follow=follow)
    from streaming.topics import PARTITIONS

    after = None if start is None else dict.fromkeys(range(PARTITIONS), start - 1)
    return read_records(kafka, after=after, follow=follow)


def _place(record: Record, kafka: KafkaConnection | None) -> str:
    return str(record.offset) if kafka is None else f"{record.partition}/{record.offset}"


def _print(now: Status) -> None:
    out = screen.console()
    stays = now.stays
    rows = [
        ("entries", "received", now.received, "= published + refused + suppressed"),
        ("", "refused", now.refused, ""),
        ("", "suppressed", now.suppressed, ""),
        ("", "published", now.published, ""),
        ("events", "written to the log", now.events, "= applied + duplicates + dead letters + lag"),
        ("", "applied", now.applied, ""),
        ("", "duplicates", now.duplicates, ""),
        ("", "dead letters", now.dead_letters, ""),
        ("", "lag", now.lag, ""),
        ("resources", "superseded", now.superseded, "older versions that came later"),
        ("stays", "open", stays.open, ""),
        ("", "written", stays.written, ""),
        ("", "quarantined", stays.quarantined, ""),
        ("", "suppressed", stays.suppressed, ""),
    ]
    out.print(screen.grid(None, ("", "account", "number", " "), rows, right="number"))
    for reason, number in now.quarantine[:QUARANTINE_SHOWN]:
        out.print(f"  in quarantine: {number} × [yellow]{reason}[/yellow]")
    out.print("[green]idle[/green]: everything is in the tables" if now.idle else "[yellow]work is left[/yellow]")
