"""A real PostgreSQL in a folder of its own, as an unprivileged user, `fsync` on; kill -9 and start again.

A direct child that is reaped: an unreaped postmaster keeps its lock file valid and the restart fails.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from streaming.postgres import PostgresConnection
from tests.support.installation import free_port

PROGRAMS = Path("/usr/lib/postgresql")
UNPRIVILEGED = "nobody"
DATA = "data"
READY_WITHIN_S = 120.0


def _state(pid: int) -> str:
    """Return the letter of a process's state; Z when there is none any more, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def _lives(pid: int) -> bool:
    """Say whether a process still holds memory that the next start would find in use."""
    return _state(pid) != "Z"


def programs() -> Path | None:
    """Return the folder of the server's programs, the newest."""
    found = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    named = shutil.which("initdb")
    return Path(named).parent if named else None


def missing() -> str | None:
    """Say in one line what is missing to run a server, or None."""
    return None if programs() else "no PostgreSQL: apt-get install postgresql"


class PostgresServer:
    """One cluster in a temporary folder, reachable on loopback only, as its owner `postgres`."""

    def __init__(self, folder: Path | None = None, *, options: Sequence[str] = ()) -> None:
        """`folder`: a new one without it; one with a small disk on `DATA`, or with a base backup there, is taken.

        `options`: settings beside the usual ones, `NAME=VALUE`.
        """
        found = programs()
        assert found is not None, missing()
        self._programs = found
        folder = folder or self.folder_for_all()
        self.folder = folder
        self.port = free_port()
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        if os.getuid() == 0:
            for one in (folder, *folder.iterdir()):
                os.chown(one, *_owner())
        self._options = [word for option in options for word in ("-c", option)]
        if (folder / DATA / "PG_VERSION").exists():
            return
        self._run("initdb", "-D", str(folder / DATA), "-U", "postgres", "--auth=trust", "--locale=C", "-E", "UTF8")

    @staticmethod
    def folder_for_all() -> Path:
        """Make a folder outside pytest's own: that one is closed to the unprivileged user."""
        return Path(tempfile.mkdtemp(prefix="snds-postgres-"))

    @property
    def connection(self) -> PostgresConnection:
        return self.database("postgres")

    def database(self, name: str, *, user: str = "postgres") -> PostgresConnection:
        return PostgresConnection(f"postgresql://{user}@127.0.0.1:{self.port}/{name}")

    def create(self, name: str) -> PostgresConnection:
        """Make a database, empty."""
        with self.connection.open() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.database(name)

    def start(self) -> None:
        """Start and return when it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._programs / "postgres"), "-D", str(self.folder / DATA), "-p", str(self.port),
                    "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=on",
                    "-c", "synchronous_commit=on", "-c", "shared_buffers=64MB", *self._options,
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
                **_as_unprivileged(),
            )  # fmt: skip
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                psycopg.connect(self.connection.dsn, connect_timeout=10).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise AssertionError(self._log.read_text(errors="replace")[-3000:]) from None
                time.sleep(0.05)
            else:
                return

    def base_backup(self, target: Path, *options: str) -> None:
        """Take a base backup of the running server, as its owner."""
        self._run("pg_basebackup", f"--pgdata={target}", f"--dbname={self.connection.dsn}", *options)

    def own(self, folder: Path) -> Path:
        """Make a folder that the server may write to."""
        folder.mkdir(exist_ok=True)
        if os.getuid() == 0:
            os.chown(folder, *_owner())
        return folder

    def kill(self) -> None:
        """End it, and all that it started, as a power cut does: backends are in sessions of their own."""
        assert self._process is not None
        main = self._process.pid
        os.kill(main, signal.SIGSTOP)  # it starts no other one between our look and its end
        deadline = time.monotonic() + READY_WITHIN_S
        while _state(main) not in "TZ" and time.monotonic() < deadline:
            time.sleep(0.001)
        backends = [int(one) for one in Path(f"/proc/{main}/task/{main}/children").read_text().split()]
        for pid in (main, *backends):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        while any(_lives(pid) for pid in backends) and time.monotonic() < deadline:
            time.sleep(0.01)

    def stop(self) -> None:
        """End it, whatever state it is in; without a checkpoint, which takes a busy disk a minute: it is removed."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.kill()

    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def says(self, words: str) -> bool:
        """Say whether its log holds these words."""
        return words in self._log.read_text(errors="replace")

    def remove(self) -> None:
        """Forget its data."""
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            stdout=subprocess.DEVNULL,
            timeout=180,
            check=True,
            cwd="/",
            **_as_unprivileged(),
        )


def _owner() -> tuple[int, int]:
    entry = pwd.getpwnam(UNPRIVILEGED)
    return entry.pw_uid, entry.pw_gid


def _as_unprivileged() -> dict[str, object]:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    user, group = _owner()
    return {"user": user, "group": group, "extra_groups": []}


@contextmanager
def running_postgres(folder: Path | None = None, *, options: Sequence[str] = ()) -> Iterator[PostgresServer]:
    """Run a server for the length of the block."""
    server = PostgresServer(folder, options=options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        server.remove()
