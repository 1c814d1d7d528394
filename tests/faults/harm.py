"""The faults of a campaign: what begins one, what ends it, how long it lasts, what the gateway has to say meanwhile.

Each leaves everything running, as a service manager would: what was killed from outside is started again.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from tests.faults.stage import DISKS, SERVER_DISKS, Stage
from tests.support import clock, small_disk
from tests.support.tcp_proxy import TcpProxy

Act = Callable[[Stage], None]
EMBEDDED, SERVER, CLUSTER = "embedded", "server", "cluster"
BEYOND_DELIVERY_S = 14.0
DAY_S = 86_400
BACK_WITHIN_S = 240.0
IN_SYNC_WITHIN_S = 300.0
ENDS_ITSELF_WITHIN_S = 240.0
NO_SPACE = "No space left on device"


def nothing(stage: Stage) -> None:
    """It is over by itself."""


@dataclass(frozen=True)
class Fault:
    """`begin` … `hold` seconds … `end`. `silences`: the gateway must not be ready while it lasts."""

    forms: tuple[str, ...]
    begin: Act
    end: Act = nothing
    hold: tuple[float, float] = (0.0, 0.0)
    silences: bool = False
    part: str = ""


def kill_worker(stage: Stage) -> None:
    workers = stage.gateway_workers()
    deadline = time.monotonic() + BACK_WITHIN_S
    while not workers:  # one that was killed before is not there again yet
        assert time.monotonic() < deadline, "the gateway has no workers"
        time.sleep(0.1)
        workers = stage.gateway_workers()
    os.kill(stage.dice.choice(workers), signal.SIGKILL)


def kill_writer(stage: Stage) -> None:
    if stage.form == EMBEDDED:
        for pid in stage.embedded_writers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return
    dead = stage.writers.pop(stage.dice.randrange(len(stage.writers)))
    dead.kill()
    dead.wait()


def writer_again(stage: Stage) -> None:
    if stage.form != EMBEDDED:
        stage.start_writer()


def kill_brokers(stage: Stage) -> None:
    for broker in stage.brokers:
        broker.kill()


def brokers_again(stage: Stage) -> None:
    for broker in stage.brokers:
        if not broker.runs():
            broker.launch()
    for broker in stage.brokers:
        broker.await_started()


def kill_leader(stage: Stage) -> None:
    assert stage.cluster is not None
    stage.cluster.brokers[stage.cluster.leader()].kill()


def leader_again(stage: Stage) -> None:
    """Start it, and wait until it is in sync: the next one may be killed then."""
    assert stage.cluster is not None
    brokers_again(stage)
    deadline = time.monotonic() + IN_SYNC_WITHIN_S
    while stage.cluster.in_sync() < len(stage.brokers):
        assert time.monotonic() < deadline, "never in sync again"
        time.sleep(0.1)


def kill_two(stage: Stage) -> None:
    for broker in stage.dice.sample(stage.brokers, 2):
        broker.kill()


def kill_postgres(stage: Stage) -> None:
    assert stage.postgres is not None
    stage.postgres.kill()


def postgres_again(stage: Stage) -> None:
    assert stage.postgres is not None
    stage.postgres.start()


def pause(stage: Stage) -> None:
    for broker in stage.brokers:
        broker.pause()


def resume(stage: Stage) -> None:
    for broker in stage.brokers:
        broker.resume()


def stop_gateway_while_away(stage: Stage) -> None:
    pause(stage)
    time.sleep(stage.dice.uniform(0, 2))
    stage.stop_serve()
    resume(stage)


def proxied(act: Callable[[TcpProxy], None]) -> Act:
    """Return an act on the proxy of a stage."""

    def apply(stage: Stage) -> None:
        assert stage.proxy is not None
        act(stage.proxy)

    return apply


def full(name: str) -> Fault:
    """Fill a disk and keep it full while it lasts."""
    return Fault(
        (EMBEDDED,),
        lambda stage: stage.disks[name].fill(),
        lambda stage: stage.disks[name].empty(),
        hold=(6, 8),
        silences=name != "lake",
        part=name,
    )


def fill_kafka(stage: Stage) -> None:
    """Leave the broker no room: it ends itself at the next event, for it has no other folder to write to."""
    stage.disks["kafka"].fill()
    deadline = time.monotonic() + ENDS_ITSELF_WITHIN_S
    while stage.brokers[0].runs():
        assert time.monotonic() < deadline, "the broker found room"
        time.sleep(0.1)


def room_for_kafka(stage: Stage) -> None:
    """Give the room back; a service manager starts the broker again."""
    stage.disks["kafka"].empty()
    brokers_again(stage)


def fill_postgres(stage: Stage) -> None:
    """Leave the server no room, and let it want some: its next piece of write-ahead log finds none."""
    assert stage.postgres is not None
    stage.disks["postgresql"].fill()
    deadline = time.monotonic() + ENDS_ITSELF_WITHIN_S
    while not stage.postgres.says(NO_SPACE):
        assert time.monotonic() < deadline, "the server found room"
        with suppress(psycopg.Error), stage.postgres.connection.open() as session:
            session.execute("SELECT pg_logical_emit_message(true, 'fault', 'x')")
            session.execute("SELECT pg_switch_wal()")


def room_for_postgres(stage: Stage) -> None:
    """Give the room back; a service manager starts the server again if it ended itself."""
    assert stage.postgres is not None
    stage.disks["postgresql"].empty()
    if not stage.postgres.runs():
        stage.postgres.start()


def clock_jumps(stage: Stage) -> None:
    assert stage.clock is not None
    for ahead in (DAY_S, 9 * DAY_S, -7200):
        stage.clock.jump(ahead)
        time.sleep(stage.dice.uniform(2, 3))  # seen within a second


def clock_is_right(stage: Stage) -> None:
    assert stage.clock is not None
    stage.clock.jump(0)


ALL, SERVERS, ONE = (EMBEDDED, SERVER, CLUSTER), (SERVER, CLUSTER), (SERVER,)
FAULTS: Mapping[str, Fault] = {
    "kill-gateway-worker": Fault(ALL, kill_worker),
    "kill-writer": Fault(ALL, kill_writer, writer_again, hold=(0, 1)),
    "stop-gateway": Fault(ALL, Stage.stop_serve, Stage.serve_again),
    "clock-jumps": Fault((EMBEDDED, SERVER), clock_jumps, clock_is_right, part="clock"),
    "full-disk-log": full("log"),
    "full-disk-audit": full("audit"),
    "full-disk-lake": full("lake"),
    "full-disk-kafka": Fault(ONE, fill_kafka, room_for_kafka, hold=(8, 10), silences=True, part="kafka"),
    "full-disk-postgresql": Fault(ONE, fill_postgres, room_for_postgres, hold=(8, 10), part="postgresql"),
    "kill-broker": Fault(SERVERS, kill_brokers, brokers_again, hold=(0.5, 3), silences=True),
    "broker-away-14s": Fault(ONE, kill_brokers, brokers_again, hold=(BEYOND_DELIVERY_S,) * 2, silences=True),
    "pause-broker-10s": Fault(SERVERS, pause, resume, hold=(10, 10), silences=True),
    "black-hole": Fault(
        ONE,
        proxied(lambda proxy: proxy.hole(on=True)),
        proxied(lambda proxy: proxy.hole(on=False)),
        hold=(BEYOND_DELIVERY_S,) * 2,
        silences=True,
        part="proxy",
    ),
    "network-delay-4s": Fault(
        ONE,
        proxied(lambda proxy: proxy.delay(2.0)),
        proxied(lambda proxy: proxy.delay(0.0)),
        hold=(10, 12),
        silences=True,
        part="proxy",
    ),
    "acknowledgement-swallowed": Fault(
        ONE,
        proxied(lambda proxy: proxy.swallow(5)),
        proxied(lambda proxy: proxy.swallow(0)),
        hold=(3, 4),
        part="proxy",
    ),
    "stop-gateway-while-broker-away": Fault(ONE, stop_gateway_while_away, Stage.serve_again),
    "leader-moves": Fault((CLUSTER,), kill_leader, leader_again, hold=(1, 4)),
    "two-of-three-brokers-away": Fault((CLUSTER,), kill_two, brokers_again, hold=(8, 10), silences=True),
    "kill-postgresql": Fault(SERVERS, kill_postgres, postgres_again, hold=(0.5, 3)),
    "writer-joins-and-leaves": Fault(SERVERS, Stage.start_writer, Stage.stop_writer, hold=(4, 6)),
}


def chosen(form: str, names: tuple[str, ...] = ()) -> tuple[dict[str, Fault], dict[str, str]]:
    """Return the faults of a form (or those of them that are named), and why some cannot be had here."""
    wanted = {name: FAULTS[name] for name in names or FAULTS if form in FAULTS[name].forms}
    lacking = {"clock": clock.missing(), **dict.fromkeys((*DISKS, *SERVER_DISKS), small_disk.missing())}
    skipped = {name: reason for name, fault in wanted.items() if (reason := lacking.get(fault.part))}
    return {name: fault for name, fault in wanted.items() if name not in skipped}, skipped
