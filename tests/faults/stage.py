"""Everything that runs in a campaign: an installation, its processes, real servers; started, harmed, ended.

Forms: `embedded` (one `serve`), `server` (one broker behind a proxy, PostgreSQL, two table writers), `cluster` (the
same with three brokers). Parts that the chosen faults need are only there for them.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from streaming.topics import KafkaConnection
from tests.support.clock import Clock
from tests.support.installation import COMMAND, Installation
from tests.support.kafka_broker import KafkaBroker
from tests.support.kafka_cluster import KafkaCluster
from tests.support.postgres_server import DATA, PostgresServer
from tests.support.servers import made_topics
from tests.support.small_disk import SmallDisk
from tests.support.tcp_proxy import TcpProxy

FORMS = ("embedded", "server", "cluster")
ENDS_WITHIN_S = 120.0  # how long it took is judged apart
DISKS = {"log": ("", 400), "audit": ("audit", 64), "lake": ("lake", 96)}
SERVER_DISKS = {"kafka": 96, "postgresql": 320}
MADE_BY_RUNNING = ("*.sqlite*", "*.duckdb*", "lake", "audit", "run", "metrics", "filler")


@dataclass
class Ended:
    """How a process ended after SIGTERM."""

    seconds: float
    code: int


@dataclass
class Stage:
    """What runs, and what is known of it."""

    form: str
    installation: Installation
    dice: random.Random
    brokers: list[KafkaBroker] = field(default_factory=list)
    cluster: KafkaCluster | None = None
    proxy: TcpProxy | None = None
    postgres: PostgresServer | None = None
    disks: dict[str, SmallDisk] = field(default_factory=dict)
    size: int = 1
    clock: Clock | None = None
    serve: subprocess.Popen[bytes] | None = None
    writers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)

    @property
    def kafka(self) -> KafkaConnection | None:
        """Where the brokers are, past the proxy; None in the embedded form."""
        if not self.brokers:
            return None
        return self.cluster.connection if self.cluster else KafkaConnection((f"127.0.0.1:{self.brokers[0].port}",))

    def start_serve(self) -> None:
        self.serve = self._started("serve", "--port", str(self.installation.port))

    def serve_again(self) -> None:
        """Start it as a person does; the outage lasts until it is ready."""
        self.start_serve()
        assert self.serve is not None
        self.installation._wait_ready(self.serve)

    def start_writer(self) -> None:
        self.writers.append(self._started("tables", "run"))

    def stop_serve(self) -> None:
        """End the gateway as an operator does, and keep how it ended."""
        assert self.serve is not None
        self.ended.append(terminated(self.serve))

    def stop_writer(self) -> None:
        self.ended.append(terminated(self.writers.pop()))

    def gateway_workers(self) -> list[int]:
        return [pid for pid, words in self._children() if "tables" not in words]

    def embedded_writers(self) -> list[int]:
        return [pid for pid, words in self._children() if "tables" in words]

    def end(self) -> None:
        for process in (self.serve, *self.writers):
            if process is not None and process.poll() is None:
                terminated(process)

    def _children(self) -> list[tuple[int, str]]:
        assert self.serve is not None
        found = []
        for child in Path(f"/proc/{self.serve.pid}/task/{self.serve.pid}/children").read_text().split():
            with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                words = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                found.append((int(child), words))
        return found

    def _started(self, *words: str) -> subprocess.Popen[bytes]:
        command = [*COMMAND, *words, "--data-dir", str(self.installation.data_dir)]
        with self.installation.log.open("ab") as log:
            return subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env={**os.environ, **(self.clock.environment if self.clock else {})},
                start_new_session=True,
            )


def terminated(process: subprocess.Popen[bytes]) -> Ended:
    """Send SIGTERM and wait; kill the group when that does not help."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return Ended(time.monotonic() - began, process.returncode)


@contextmanager
def stage_of(
    form: str, folder: Path, *, template: Path, seed: int, parts: Collection[str], size: int = 1
) -> Iterator[Stage]:
    """Set everything up from a copy of an installation that has never run, and end everything.

    `parts`: `proxy`, `clock` and the names of `DISKS` and `SERVER_DISKS` that the faults need; `size`: how many
    times larger those of the servers are, for long runs.
    """
    data_dir = folder / "disk" / "data"
    with ExitStack() as stack:
        disks = {}
        for name in (one for one in DISKS if one in parts):
            where = folder / "disk" if name == "log" else data_dir / DISKS[name][0]
            if name != "log" and not data_dir.exists():
                shutil.copytree(template, data_dir)
            disks[name] = SmallDisk(where, megabytes=DISKS[name][1])
            stack.callback(disks[name].remove)
        shutil.copytree(template, data_dir, dirs_exist_ok=True)
        clock = Clock(folder / "clock") if "clock" in parts else None
        stage = Stage(form, Installation.at(data_dir), random.Random(seed), disks=disks, clock=clock, size=size)
        if form != "embedded":
            _start_servers(stage, folder, stack, parts=parts)
        stack.callback(stage.end)
        stage.start_serve()
        if form != "embedded":
            stage.start_writer()
            stage.start_writer()
        assert stage.serve is not None
        stage.installation._wait_ready(stage.serve)
        yield stage


def _small(stage: Stage, stack: ExitStack, name: str, folder: Path) -> None:
    stage.disks[name] = SmallDisk(folder, megabytes=SERVER_DISKS[name] * stage.size)
    stack.callback(stage.disks[name].remove)


def _start_servers(stage: Stage, folder: Path, stack: ExitStack, *, parts: Collection[str]) -> None:
    above = PostgresServer.folder_for_all()
    stack.callback(shutil.rmtree, above)
    if "postgresql" in parts:
        _small(stage, stack, "postgresql", above / DATA)
    stage.postgres = PostgresServer(above)
    stack.callback(stage.postgres.stop)
    stage.postgres.start()
    if stage.form == "cluster":
        stage.cluster = KafkaCluster(folder / "brokers")
        stack.callback(stage.cluster.stop)
        stage.cluster.start()
        stage.brokers = list(stage.cluster.brokers.values())
        bootstrap = stage.cluster.bootstrap
    else:
        if "kafka" in parts:
            _small(stage, stack, "kafka", folder / "broker" / "data")
        if "proxy" in parts:
            stage.proxy = TcpProxy(frames=True)
            stack.callback(stage.proxy.close)
        broker = KafkaBroker(folder / "broker", advertised_port=stage.proxy.port if stage.proxy else None)
        if stage.proxy:
            stage.proxy.to(broker.port)
        stack.callback(broker.stop)
        broker.start()
        stage.brokers = [broker]
        bootstrap = broker.bootstrap
    assert stage.kafka is not None
    made_topics(stage.kafka, replication=len(stage.brokers))
    with (stage.installation.data_dir / "gateway.toml").open("a") as settings:
        settings.write(f'broker = "kafka"\nkafka_bootstrap = "{bootstrap}"\nkafka_replication = {len(stage.brokers)}\n')
        settings.write(f'sink = "postgresql"\npostgres_dsn = "{stage.postgres.connection.dsn}"\n')
