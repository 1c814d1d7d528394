"""`audit verify|export`: is the trail whole, and its lines for somebody else's tools. Never a value of a hospital."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import orjson

from gateway.audit import FOLDER, audit_digest
from gateway.audit_check import read_chains
from gateway.audit_check import verify as problems_of
from gateway.cli import screen
from transformers.deidentify.keys import LEDGER, read_key
from transformers.deidentify.pseudonyms import Digest

KEYS = "keys"


def verify(data_dir: Path, *, as_json: bool) -> int:
    """Check every chain; 1 when a line was edited, removed, moved or added. Raises Misconfigured."""
    found = problems_of(data_dir, _digest(data_dir))
    files = len(list((data_dir / FOLDER).glob("*.jsonl")))
    for one in found:
        if as_json:
            screen.write_json({"file": one.file, "line": one.line, "code": one.code})
        else:
            screen.complain(f"{one.file}, line {one.line}: {one.code}" if one.line else f"{one.file}: {one.code}")
    if not found and not as_json:
        screen.console().print(f"[green]✓[/green] {files} files, every line is as it was written")
    return int(bool(found))


def export(data_dir: Path, to: Path | None, *, since: datetime | None) -> int:
    """Write the lines that verify as JSON, file by file; 1 when some do not. Raises Misconfigured."""
    broken = False
    with to.open("wb") if to is not None else nullcontext(sys.stdout.buffer) as out:
        for chain in read_chains(data_dir, _digest(data_dir)):
            broken |= chain.problem is not None
            for entry in chain.entries:
                if since is None or _written(entry) >= since:
                    _write(out, {"file": chain.name} | entry)
    if broken:
        screen.complain("some lines do not verify and were left out: snds-gateway audit verify")
    return int(broken)


def _digest(data_dir: Path) -> Digest:
    return audit_digest(read_key(data_dir / KEYS / LEDGER))


def _written(entry: dict[str, Any]) -> datetime:
    moment = datetime.fromisoformat(str(entry["at"]))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _write(out: IO[bytes], line: dict[str, Any]) -> None:
    out.write(orjson.dumps(line) + b"\n")
