"""What `doctor` looks at, one small examination each: machine, disk, clock, configuration, stores, servers."""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal, TypeVar

from fhir_profiles.errors import Misconfigured, PipelineError
from gateway.connections import kafka_connection, postgres_connection
from gateway.settings import Settings
from transformers.deidentify.keys import PLATFORM, TABLES

State = Literal["ok", "note", "warning", "error"]
Read = TypeVar("Read")

KEYS = "keys"
GIB = 1024**3
LEAST_FREE = GIB
LITTLE_FREE = 10 * GIB
SLOW_FSYNC_S = 0.05
CLOCK_TOLERANCE_S = 60
LONG_AGO = 1_704_067_200  # 2024: this product did not exist, a clock that says so is wrong
SQLITE_FILES = {"log": "events.sqlite", "state": "ops.sqlite"}
PACKAGES = ("fhir-snds-gateway", "duckdb", "orjson", "uvicorn")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `doctor`."""

    check: str
    state: State
    detail: str


def ground(data_dir: Path) -> Iterator[Finding]:
    """Look at the machine: versions, disk, clock."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    yield Finding("versions", "ok", f"Python {platform.python_version()}, {versions}")
    if not data_dir.is_dir():
        yield Finding("disk", "error", f"{data_dir} is not a folder: snds-gateway init makes it")
        return
    yield from _disk(data_dir)
    newest = max((path.stat().st_mtime for path in data_dir.iterdir()), default=0.0)
    ahead = newest - time.time()
    if time.time() < LONG_AGO or ahead > CLOCK_TOLERANCE_S:
        yield Finding("clock", "error", "the clock is behind what was written here: check time synchronisation")
    else:
        yield Finding("clock", "ok", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))


def configuration(read: Callable[[], Read]) -> tuple[Read | None, list[Finding]]:
    """Read the configuration; the finding names what is wrong."""
    try:
        return read(), [Finding("configuration", "ok", "settings, contracts and keys are as serve wants them")]
    except Misconfigured as wrong:
        return None, [Finding("configuration", "error", str(wrong))]


def stores(data_dir: Path) -> Iterator[Finding]:
    """Look at what the embedded form keeps."""
    for name, file in SQLITE_FILES.items():
        yield _sqlite(name, data_dir / file)
    database = data_dir / "lake" / "snds.duckdb"
    if not database.is_file():
        yield Finding("lake", "note", "nothing is published yet")
        return
    from gateway.cli import lake

    try:
        with lake.reading(data_dir) as connection:
            names = lake.tables(connection)
            for name in names:
                lake.ask(connection, f'SELECT 1 FROM "{name}" LIMIT 1')  # noqa: S608 — our own names
    except PipelineError as wrong:
        yield Finding("lake", "error", wrong.code)
        return
    minutes = max(time.time() - database.stat().st_mtime, 0) / 60
    yield Finding("lake", "ok", f"{len(names)} tables, published {minutes:.0f} minutes ago")


def parted_keys(data_dir: Path, settings: Settings) -> Iterator[Finding]:
    """In the server form whoever reads one folder must not be able to join both levels of pseudonyms."""
    if settings.broker == "kafka" and all((data_dir / KEYS / name).exists() for name in (PLATFORM, TABLES)):
        yield Finding("keys", "warning", f"{TABLES} lies beside {PLATFORM}: move it to the table writer's folder")


def network(settings: Settings, *, serves: bool) -> Iterator[Finding]:
    """Ask the servers that the settings name, and the gateway when this folder is one's."""
    if serves:
        yield _gateway(settings)
    if settings.broker == "kafka":
        yield _broker(settings)
    if settings.sink == "postgresql":
        yield _database(settings)


def _gateway(settings: Settings) -> Finding:
    import httpx

    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 — compared, not bound
    try:
        # itself, never through the proxy by which this machine reaches the world
        status = httpx.get(f"http://{host}:{settings.port}/health/ready", timeout=10, trust_env=False).status_code
    except httpx.HTTPError:
        return Finding("gateway", "note", f"nobody answers on {host}:{settings.port}")
    state: State = "ok" if status == httpx.codes.OK else "warning"
    return Finding("gateway", state, f"{host}:{settings.port}/health/ready answers {status}")


def _disk(data_dir: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(data_dir).free
    state: State = "error" if free < LEAST_FREE else "warning" if free < LITTLE_FREE else "ok"
    yield Finding("disk", state, f"{free / GIB:.1f} GiB free")
    probe = data_dir / f".probe.{secrets.token_hex(4)}"
    try:
        started = time.monotonic()
        with probe.open("wb") as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
        seconds = time.monotonic() - started
    except OSError as wrong:
        yield Finding("fsync", "error", f"the folder cannot be written: {wrong.strerror}")
        return
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    state = "warning" if seconds > SLOW_FSYNC_S else "ok"
    yield Finding("fsync", state, f"{seconds * 1000:.1f} ms: every answer waits for one")


def _sqlite(name: str, file: Path) -> Finding:
    if not file.is_file():
        return Finding(name, "note", f"{file.name} does not exist yet")
    try:
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)
        try:
            [(answer,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
            stopped = None
            if name == "state":
                stopped = connection.execute("SELECT text FROM note WHERE name = 'stopped'").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as wrong:
        return Finding(name, "error", f"{file.name}: {type(wrong).__name__}")
    if answer != "ok":
        return Finding(name, "error", f"{file.name} is damaged: restore it from a backup")
    if stopped is not None:
        return Finding(name, "error", f"the table writer stopped: {stopped[0]}")
    return Finding(name, "ok", f"{file.name} is sound, {file.stat().st_size / 1024**2:.1f} MiB")


def _broker(settings: Settings) -> Finding:
    from streaming.topics import check_topics

    try:
        check_topics(kafka_connection(settings), copies=settings.kafka_replication)
    except PipelineError as wrong:
        return Finding("broker", "error", str(wrong))
    return Finding("broker", "ok", "answers; the topics are as they must be")


def _database(settings: Settings) -> Finding:
    try:
        connection = postgres_connection(settings)
        assert connection is not None
        with connection.open() as session:
            row = session.execute("SHOW server_version").fetchone()
    except PipelineError as wrong:
        return Finding("postgresql", "error", str(wrong))
    return Finding("postgresql", "ok", f"answers, version {row[0] if row else '?'}")
