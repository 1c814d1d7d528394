"""`serve` and `tables run`: what must be right is checked first, in one line each (exit 78), then it runs."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fhir_profiles.errors import Misconfigured, Unavailable
from gateway.cli.diagnosis import read_configuration
from gateway.connections import kafka_connection, postgres_connection
from gateway.settings import Settings, load_settings
from streaming.turns import GATEWAY_NICENESS, give_way

if TYPE_CHECKING:
    from gateway.house import House
    from streaming.accounts import Status

LOCK = "serve.lock"
METRICS = "metrics"
MODULE = "gateway.cli.main"
STOP = (signal.SIGTERM, signal.SIGINT)


def serve(data_dir: Path, *, host: str | None, port: int | None, workers: int | None) -> int:
    """Run the gateway until a signal; return its exit code. Raises Misconfigured before anything listens."""
    settings, _ = read_configuration(data_dir)
    settings = replace(
        settings, host=host or settings.host, port=port or settings.port, workers=workers or settings.workers
    )
    with _alone(data_dir) as run:
        shutil.rmtree(run / METRICS, ignore_errors=True)
        (run / METRICS).mkdir(mode=0o700)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(run / METRICS)  # read by prometheus_client when it is imported
        return _supervised(settings)


def _supervised(settings: Settings) -> int:
    from gateway import audit, audit_check, house, logs, server, serving, supervised

    logs.configure(settings.log_level, process="supervisor")
    supervised.forbid_core_dumps()
    supervised.allow_many_sockets()
    try:
        listeners = server.listening(settings.host, settings.port, settings.workers)
    except OSError as failure:
        raise Misconfigured("port-taken", f"port {settings.port}: {failure.strerror}") from None
    with ExitStack() as opened:
        for listener in listeners:
            opened.enter_context(listener)
        loaded = house.load(settings)
        if settings.broker == "kafka":
            server.checked_apart(lambda: _check_topics(settings))
        audit_check.begin(settings.data_dir, audit.audit_digest(loaded.ledger), days=settings.audit_retention_days)
        children = [
            server.Child(f"worker-{n}", server.forked(_worker(serving.serve_worker, loaded, listeners, n)))
            for n in range(1, len(listeners) + 1)
        ]
        if settings.broker == "embedded":
            command = [sys.executable, "-m", MODULE, "tables", "run", "--data-dir", str(settings.data_dir)]
            children.insert(0, server.Child("table-writer", server.executed(command), vital=False))
        logs.logger().info("listening", host=settings.host, port=listeners[0].getsockname()[1])
        server.settle_memory()
        return server.Supervisor(children, listeners=listeners).run()


def _check_topics(settings: Settings) -> None:
    from streaming.topics import check_topics

    check_topics(kafka_connection(settings), copies=settings.kafka_replication)


def _worker(
    serve_worker: Callable[..., int], loaded: House, listeners: Sequence[socket.socket], number: int
) -> Callable[[], int]:
    """Return the work of a worker: it serves its own listener and holds no other, or that one could never close."""

    def work() -> int:
        for other in listeners:
            if other is not listeners[number - 1]:
                other.close()
        if loaded.settings.broker == "embedded":
            give_way(GATEWAY_NICENESS)
        return serve_worker(loaded, listeners[number - 1], name=f"worker-{number}")

    return work


def run_tables(data_dir: Path) -> int:
    """Run a table writer until a signal; return its exit code. Raises Misconfigured."""
    from gateway import logs
    from gateway.table_rules import table_rules
    from streaming.accounts import status
    from streaming.factory import open_writer

    settings = load_settings(data_dir, os.environ)
    logs.configure(settings.log_level, process="table-writer")
    rules = table_rules(data_dir)
    kafka = kafka_connection(settings) if settings.broker == "kafka" else None
    postgres = postgres_connection(settings)
    if settings.writer_metrics_port:
        _tell_accounts(settings, partial(status, data_dir, kafka=kafka, postgres=postgres))
    stop = threading.Event()
    for number in STOP:
        signal.signal(number, lambda *_: stop.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*STOP, signal.SIGCHLD))
    while not stop.is_set():
        try:
            with open_writer(
                data_dir,
                rules=rules,
                kafka=kafka,
                postgres=postgres,
                log_retention_days=settings.log_retention_days,
            ) as writer:
                writer.run(stop)
        except Unavailable as away:  # at the start: later ones are the writer's own matter
            logs.logger().warning("store-or-broker-away", code=away.code)
            stop.wait(away.retry_after_s)
    return 0


def _tell_accounts(settings: Settings, read: Callable[[], Status]) -> None:
    from gateway.account_metrics import serve_accounts

    try:
        serve_accounts(settings.host, settings.writer_metrics_port, read)
    except OSError as failure:
        raise Misconfigured("port-taken", f"port {settings.writer_metrics_port}: {failure.strerror}") from None


@contextmanager
def _alone(data_dir: Path) -> Iterator[Path]:
    """Hold the installation for one `serve`; yield the folder of what lives as long. Raises Misconfigured."""
    run = data_dir / "run"
    run.mkdir(mode=0o700, exist_ok=True)
    with (run / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Misconfigured("already-served", f"another snds-gateway serve runs on {data_dir}") from None
        yield run
