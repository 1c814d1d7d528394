"""One line an authenticated request → D/audit/*.jsonl: append-only, chained with a key, on disk before the answer.

A line holds who, when, what route, which status, codes, counts, the receipt and the event ids that it leads to; never
health data, an identity or a pseudonym. All requests that wait share one fsync. Promise: P22.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from fhir_profiles.errors import Unavailable
from transformers.deidentify.pseudonyms import Digest, Key

FOLDER = "audit"
SUFFIX = ".jsonl"
HEAD = ".head"
PURPOSE = "ledger/audit"
START = b"\0" * 32
VERSION = 1
ROLL_AFTER_BYTES = 256 * 1024 * 1024


def audit_digest(ledger: Key) -> Digest:
    """Return the keyed hash that chains audit lines; whoever lacks the ledger key cannot write a line that verifies."""
    return ledger.derive(PURPOSE)


def chained(digest: Digest, previous: bytes, entry: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return one line and its mac: HMAC(previous mac ‖ the line without its mac)."""
    body = orjson.dumps(dict(entry))
    mac = digest(previous + body)
    return body[:-1] + b',"mac":"' + mac.hex().encode() + b'"}\n', mac


def head_of(digest: Digest, number: int, mac: bytes) -> bytes:
    """Return what says how far a chain goes, of fixed width; without it a cut tail would not show."""
    said = f"{number:012d}:{mac.hex()}"
    return f"{said}:{digest(said.encode()).hex()}\n".encode()


def now_utc() -> datetime:
    """Return the time of the machine."""
    return datetime.now(UTC)


class AuditLog:
    """The chain of one process. `keep` returns once the line is on disk."""

    def __init__(
        self, data_dir: Path, digest: Digest, process: str, *, clock: Callable[[], datetime] = now_utc
    ) -> None:
        self._folder = data_dir / FOLDER
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._digest = digest
        self._process = process
        self._clock = clock
        self._waiting: list[tuple[dict[str, Any], asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self._day = ""
        self._previous, self._number, self._size = START, 0, 0
        self._file = self._head = -1
        self.healthy = True
        self.unauthenticated = 0
        self._open(previous=None)

    async def keep(self, entry: Mapping[str, Any]) -> None:
        """Return when the entry is on disk. Raises Unavailable: the answer must not be sent."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((dict(entry), done))
        if self._flushing is None:
            self._flushing = loop.create_task(self._flush())
        await done

    async def keep_unauthenticated(self) -> None:
        """Write one line for all the callers that nobody knew since the last one."""
        if number := self.unauthenticated:
            self.unauthenticated = 0
            await self.keep({"action": "unauthenticated", "requests": number})

    def keep_now(self, entry: Mapping[str, Any]) -> None:
        """Do as `keep`, outside an event loop."""
        self._write([dict(entry)])

    async def close(self) -> None:
        """Write what waits and end the chain with a line that says so."""
        if self._flushing is not None:
            await self._flushing
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """Do as `close`, outside an event loop."""
        try:
            self._write([{"action": "closed"}])
        finally:
            self._thread.shutdown()
            os.close(self._file)
            os.close(self._head)

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                await loop.run_in_executor(self._thread, self._write, [entry for entry, _ in group])
            except Exception:  # noqa: BLE001 — whatever it is, those who wait are told: no answer without its line
                failure: Unavailable | None = Unavailable("audit-failed")
            else:
                failure = None
            self.healthy = failure is None
            for _, done in group:
                if done.done():
                    continue
                if failure is None:
                    done.set_result(None)
                else:
                    done.set_exception(failure)
        self._flushing = None

    def _write(self, entries: list[dict[str, Any]]) -> None:
        """Append a group and fsync. What fails leaves the file as it was: no half line, no gap in the chain."""
        now = self._clock()
        if f"{now:%Y-%m-%d}" != self._day or self._size > ROLL_AFTER_BYTES:
            self._append(now, [{"action": "rolled"}])
            self._roll()
        self._append(now, entries)

    def _append(self, now: datetime, entries: list[dict[str, Any]]) -> None:
        previous, number, lines = self._previous, self._number, []
        for entry in entries:
            stamped = {"n": number, "at": _instant(now), **entry}
            line, previous = chained(self._digest, previous, stamped)
            lines.append(line)
            number += 1
        content = b"".join(lines)
        try:
            _write_all(self._file, content)
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._previous, self._number, self._size = previous, number, self._size + len(content)
        os.pwrite(self._head, head_of(self._digest, number, previous), 0)

    def _roll(self) -> None:
        """Go on in a new file whose first line names the mac that the old one ended with."""
        file, head = self._file, self._head
        self._open(previous=self._previous)
        os.close(file)
        os.close(head)

    def _open(self, *, previous: bytes | None) -> None:
        """Begin a file; when that fails the one before stays in use, and nothing of the new one is left."""
        now = self._clock()
        name = f"{now:%Y%m%dT%H%M%S}-{self._process}-{secrets.token_hex(4)}"
        lines, heads = self._folder / f"{name}{SUFFIX}", self._folder / f"{name}{HEAD}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        begin = {"n": 0, "at": _instant(now), "action": "opened", "process": self._process, "version": VERSION}
        line, mac = chained(self._digest, START, begin | ({"after": previous.hex()} if previous else {}))
        opened: list[int] = []
        try:
            opened.append(os.open(lines, flags | os.O_APPEND, 0o600))
            opened.append(os.open(heads, flags, 0o600))
            _write_all(opened[0], line)
            os.fsync(opened[0])
            os.pwrite(opened[1], head_of(self._digest, 1, mac), 0)
            _sync_folder(self._folder)
        except OSError:
            for descriptor, path in zip(opened, (lines, heads), strict=False):
                os.close(descriptor)
                path.unlink()
            raise
        self._file, self._head = opened
        self._day = f"{now:%Y-%m-%d}"
        self._previous, self._number, self._size = mac, 1, len(line)


def _write_all(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
