"""Real Apache Kafka brokers from their Java archives in KRaft mode, one or a cluster of three, on loopback ports.

Started as a direct child and reaped; `kill`, `stop`, `pause` and `start` are the faults that tests inject.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.installation import free_port

PROJECT = Path(__file__).resolve().parents[2]
LIBRARY = PROJECT / ".kafka" / "lib"
STARTED_WITHIN_S = 300.0
STARTED, ENDED = b"Kafka Server started", (b"shut down completed", b"Fatal error")
LOG4J = """status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


def missing() -> str | None:
    """Say in one line what is missing to run a broker, or None."""
    if shutil.which("java") is None:
        return "no Java: apt-get install openjdk-17-jre-headless"
    if not list(LIBRARY.glob("kafka_2.13-*.jar")):
        return "no Kafka archives: make test-servers"
    return None


@dataclass(frozen=True)
class Member:
    """A broker's place in a cluster: its number, the cluster's id, everybody's controller port by number."""

    node: int
    cluster: str
    controllers: Mapping[int, int]


class KafkaBroker:
    """One broker with its data in `folder`."""

    def __init__(
        self,
        folder: Path,
        *,
        security: Mapping[str, str] | None = None,
        scram: str | None = None,
        member: Member | None = None,
        advertised_port: int | None = None,
    ) -> None:
        """`security`: settings that take the place of the plain ones, with {port} and {sasl_port} to fill in.

        Clients are sent to `advertised_port` (a proxy's), the other brokers of a cluster never.
        """
        self.folder = folder
        self.port = free_port()
        self.sasl_port = free_port()
        self.controller_port = free_port() if member is None else member.controllers[member.node]
        self.advertised_port = advertised_port or self.port
        self.log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._begin = 0
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "log4j2.properties").write_text(LOG4J, encoding="utf-8")
        ports = {"port": str(self.port), "sasl_port": str(self.sasl_port), "controller": str(self.controller_port)}
        given = {name: value.format(**ports) for name, value in (security or {}).items()}
        values = self._properties() | (self._in_cluster(member) if member else {}) | given
        lines = "".join(f"{name}={value}\n" for name, value in values.items())
        (folder / "server.properties").write_text(lines, encoding="utf-8")
        words = ["format", "-t", member.cluster if member else random_id(), "-c", str(folder / "server.properties")]
        words += [] if member else ["--standalone"]
        _java("kafka.tools.StorageTool", *words, *(["--add-scram", scram] if scram else []))

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.advertised_port}"

    def start(self) -> None:
        """Start and return when the port answers and the broker says that it is started."""
        self.launch()
        self.await_started()

    def launch(self) -> None:
        """Start without waiting: the first of three is started only when a second one is there."""
        with self.log.open("ab") as log:
            self._begin = log.tell()
            self._process = subprocess.Popen(
                [
                    "java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                    f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
                    "-cp", f"{LIBRARY}/*", "kafka.Kafka", str(self.folder / "server.properties"),
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def await_started(self) -> None:
        """Return when the broker says that it is started; fail with its last words when it ended or never does."""
        deadline = time.monotonic() + STARTED_WITHIN_S
        while STARTED not in (said := self._said()):
            if not self.runs() or any(word in said for word in ENDED) or time.monotonic() > deadline:
                raise AssertionError(said.decode(errors="replace")[-3000:])
            time.sleep(0.05)

    def _said(self) -> bytes:
        """Return what stands in its log since it was started the last time."""
        with self.log.open("rb") as log:
            log.seek(self._begin)
            return log.read()

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Let it accept connections and answer nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGCONT)
            self._process.kill()
            self._process.wait()

    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _properties(self) -> dict[str, str]:
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.advertised_port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
            "num.partitions": "1",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
        }

    def _in_cluster(self, member: Member) -> dict[str, str]:
        """Static voters, and a listener of its own for the brokers among themselves."""
        voters = ",".join(f"{node}@127.0.0.1:{port}" for node, port in member.controllers.items())
        own, among = f"PLAINTEXT://127.0.0.1:{self.port}", f"AMONG://127.0.0.1:{self.sasl_port}"
        return {
            "node.id": str(member.node),
            "controller.quorum.bootstrap.servers": "",
            "controller.quorum.voters": voters,
            "listeners": f"{own},{among},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.advertised_port},{among}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,AMONG:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "AMONG",
            "offsets.topic.replication.factor": "3",
            "leader.imbalance.check.interval.seconds": "5",  # leaders move back by themselves: one more move
            "leader.imbalance.per.broker.percentage": "0",
        }


def random_id() -> str:
    """Return a new cluster id."""
    return _java("kafka.tools.StorageTool", "random-uuid").stdout.strip()


def _java(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{LIBRARY}/*", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=180,
        check=True,
    )


@contextmanager
def running_broker(
    folder: Path, *, security: Mapping[str, str] | None = None, scram: str | None = None
) -> Iterator[KafkaBroker]:
    """Run a broker for the length of the block."""
    broker = KafkaBroker(folder, security=security, scram=scram)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
