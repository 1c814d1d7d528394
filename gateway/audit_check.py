"""D/audit → what is wrong with it: an edited, removed, moved or added line, a cut tail, a file that is gone.

Needs the ledger key. Names files and line numbers, never what a line holds. Promise: P22.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from gateway.audit import FOLDER, HEAD, START, SUFFIX, AuditLog, chained, head_of
from transformers.deidentify.pseudonyms import Digest

MAC = b',"mac":"'
MAC_HEX = 64
STAMP = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True)
class Problem:
    """The first broken line of a file (0: the file as a whole), and a code."""

    file: str
    line: int
    code: str


@dataclass(frozen=True, slots=True)
class Chain:
    """One file: its lines as far as they verify, and what comes then."""

    name: str
    entries: tuple[dict[str, Any], ...]
    problem: Problem | None


def verify(data_dir: Path, digest: Digest) -> list[Problem]:
    """Return every problem, in order of file name; none means that the trail is whole."""
    chains = list(read_chains(data_dir, digest))
    found = [chain.problem for chain in chains if chain.problem is not None]
    return sorted([*found, *_missing(chains)], key=lambda one: (one.file, one.line))


def read_chains(data_dir: Path, digest: Digest) -> Iterator[Chain]:
    """Read every chain of an installation."""
    for file in sorted((data_dir / FOLDER).glob(f"*{SUFFIX}")):
        yield _read(file, digest)


def take_inventory(log: AuditLog, data_dir: Path) -> None:
    """Write down which chains exist and how far they go: from now on a file that is gone shows."""
    files = {}
    for head in sorted((data_dir / FOLDER).glob(f"*{HEAD}")):
        number = head.read_bytes()[:12]
        files[head.name.removesuffix(HEAD)] = int(number) if number.isdigit() else 0
    log.keep_now({"action": "inventory", "files": files})


def sweep(data_dir: Path, *, days: int, now: datetime) -> int:
    """Remove the chains that are older than the retention; return how many."""
    removed = 0
    oldest = now - timedelta(days=days)
    for file in sorted((data_dir / FOLDER).glob(f"*{SUFFIX}")):
        if _last_change(file) < oldest:
            file.with_suffix(HEAD).unlink(missing_ok=True)
            file.unlink(missing_ok=True)  # another worker may be at it
            removed += 1
    return removed


def _read(file: Path, digest: Digest) -> Chain:
    name = file.name.removesuffix(SUFFIX)
    previous = START
    entries: list[dict[str, Any]] = []
    head = _head(file)  # before its lines: a process that serves meanwhile writes these first
    content = file.read_bytes()
    for number, line in enumerate(content.split(b"\n")[:-1]):
        entry = _entry(line)
        if entry is None:
            return Chain(name, tuple(entries), Problem(name, number + 1, "line-malformed"))
        expected, mac = chained(digest, previous, entry)
        if expected.rstrip(b"\n") != line or entry.get("n") != number:
            return Chain(name, tuple(entries), Problem(name, number + 1, "line-broken"))
        previous = mac
        entries.append(entry)
    if not content.endswith(b"\n"):
        return Chain(name, tuple(entries), Problem(name, len(entries) + 1, "line-cut"))
    return Chain(name, tuple(entries), _head_problem(head, name, entries, previous, digest))


def _entry(line: bytes) -> dict[str, Any] | None:
    """Return what a line says, without its mac."""
    if line[-MAC_HEX - 2 - len(MAC) :][: len(MAC)] != MAC:
        return None
    try:
        entry = orjson.loads(line[: -MAC_HEX - 2 - len(MAC)] + b"}")
    except orjson.JSONDecodeError:
        return None
    return entry if isinstance(entry, dict) else None


def _head(file: Path) -> bytes | None:
    try:
        return file.with_suffix(HEAD).read_bytes()
    except OSError:
        return None


def _head_problem(
    head: bytes | None, name: str, entries: list[dict[str, Any]], last: bytes, digest: Digest
) -> Problem | None:
    """A head behind its file is a crash between the two; a file behind its head lost its tail."""
    if head is None:
        return Problem(name, 0, "head-missing")
    said = head[:12]
    number = int(said) if said.isdigit() else -1
    if number > len(entries):
        return Problem(name, len(entries) + 1, "tail-cut")
    if number < 1 or (number == len(entries) and head != head_of(digest, number, last)):
        return Problem(name, 0, "head-broken")
    return None


def _missing(chains: list[Chain]) -> Iterator[Problem]:
    """Compare with every inventory: what it names exists and is at least as long, unless it was swept."""
    there = {chain.name: len(chain.entries) for chain in chains}
    broken = {chain.name for chain in chains if chain.problem is not None}
    swept = _swept_until(chains)
    told: set[str] = set()
    for chain in chains:
        for entry in chain.entries:
            files = entry.get("files")
            for name, number in files.items() if isinstance(files, dict) else ():
                if name in told or name in broken or there.get(name, -1) >= number:
                    continue
                if name not in there and (stamp := _stamp(name)) is not None and swept is not None and stamp < swept:
                    continue
                told.add(name)
                yield Problem(name, there.get(name, 0), "tail-cut" if name in there else "file-missing")


def _swept_until(chains: list[Chain]) -> datetime | None:
    moments = [
        datetime.fromisoformat(entry["before"]) for chain in chains for entry in chain.entries if "before" in entry
    ]
    return max(moments, default=None)


def _stamp(name: str) -> datetime | None:
    try:
        return datetime.strptime(name.partition("-")[0], STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _last_change(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


def begin(data_dir: Path, digest: Digest, *, days: int) -> None:
    """Write down that serving begins: what is there already, and what its age removed."""
    log = AuditLog(data_dir, digest, "supervisor")
    try:
        now = datetime.now(UTC)
        log.keep_now({"action": "serve"})
        take_inventory(log, data_dir)
        if removed := sweep(data_dir, days=days, now=now):
            log.keep_now({"action": "swept", "removed": removed, "before": (now - timedelta(days=days)).isoformat()})
    finally:
        log.close_now()
