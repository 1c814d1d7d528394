"""The supervisor: loads everything once, forks the workers that share it, keeps them and the table writer alive.

SIGTERM: workers stop accepting, finish what is in flight (10 s at most), flush, and all ends with 0; a second one ends
at once with 1. A child that crashes is started again, within bounds. Promise: P11.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from fhir_profiles.errors import Misconfigured, Unavailable
from gateway import logs
from gateway.supervised import be_tied_to_parent, mark_dead

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP)
ENDS_WITHIN_S = 24.0  # workers end within 10 s; a crowded machine is no reason to cut them, systemd kills after 30
RESTARTS = 5
STEADY_S = 10.0  # a child that lived this long was up: its end is an accident, not a start that cannot succeed
PAUSE_S = 0.2
GIVEN_UP_S = 60.0
LONGEST_PAUSE_S = 5.0
FAILED = 1
CONFIGURATION = 78


@dataclass(slots=True)
class Child:
    """One process to keep alive. `start` returns its pid; `vital` ends everything when no such one can be kept up."""

    name: str
    start: Callable[[], int]
    vital: bool = True
    pid: int = 0
    starts: list[float] = field(default_factory=list)
    quick_ends: int = 0
    again_at: float = 0.0


class Supervisor:
    """The children of one `serve`."""

    def __init__(
        self,
        children: list[Child],
        *,
        listeners: Sequence[socket.socket] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._children = children
        self._listeners = listeners
        self._clock = clock
        self._stopping_since: float | None = None
        self._code = 0

    def run(self) -> int:
        """Start the children and stay until a signal, or until no vital one can be kept up.

        A child that ends with 78 found the configuration wrong: starting it again would help nobody.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        for child in self._children:
            self._start(child)
        while self._alive() or self._stopping_since is None:
            self._meet(signal.sigtimedwait(SIGNALS, 0.5))
            self._reap()
            self._hurry()
        return self._code

    def _meet(self, received: signal.struct_siginfo | None) -> None:
        if received is None or received.si_signo == signal.SIGCHLD:
            return
        if received.si_signo == signal.SIGHUP:  # workers look at the contracts each second: nothing to do but say so
            logs.logger().info("contracts-are-read-when-they-change")
            return
        if self._stopping_since is not None:
            logs.logger().warning("killed")
            self._kill()
            return
        logs.logger().info("stopping")
        self._stop()

    def _stop(self) -> None:
        self._stopping_since = self._clock()
        for listener in self._listeners:  # a worker's own is then the last: whoever comes once it is closed is refused
            listener.close()
        for child in self._alive():
            os.kill(child.pid, signal.SIGTERM)

    def _kill(self) -> None:
        self._code = FAILED
        for child in self._alive():
            os.kill(child.pid, signal.SIGKILL)

    def _hurry(self) -> None:
        """Start again what waits for it; kill what does not end in time."""
        now = self._clock()
        if self._stopping_since is not None:
            if now - self._stopping_since > ENDS_WITHIN_S:
                self._kill()
            return
        for child in self._children:
            if not child.pid and child.again_at and now >= child.again_at:
                self._start(child)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for child in self._children:
                if child.pid == pid:
                    self._ended(child, os.waitstatus_to_exitcode(status))

    def _ended(self, child: Child, code: int) -> None:
        mark_dead(child.pid)
        child.pid = 0
        if self._stopping_since is not None:
            if code != 0:
                logs.logger().error("child-ended", child=child.name, code=code)
                self._code = self._code or FAILED
            return
        now = self._clock()
        child.quick_ends = child.quick_ends + 1 if now - child.starts[-1] < STEADY_S else 1
        logs.logger().error("child-ended", child=child.name, code=code, quick_ends=child.quick_ends)
        pause = min(LONGEST_PAUSE_S, PAUSE_S * 2**child.quick_ends)
        if code == CONFIGURATION and child.vital:
            self._code = CONFIGURATION
            self._stop()
        elif child.vital and child.quick_ends > RESTARTS and not self._others_serve(child, now):
            self._code = FAILED
            self._stop()
        elif not child.vital and code > 0 and child.quick_ends > RESTARTS:  # it ends by itself: a person has to look
            child.again_at = now + GIVEN_UP_S
        else:
            child.again_at = now + pause

    def _others_serve(self, child: Child, now: float) -> bool:
        """Say whether another vital one is up: then nothing ends, what is missing (a file, a disk) may come back."""
        return any(one is not child and one.vital and now - one.starts[-1] >= STEADY_S for one in self._alive())

    def _start(self, child: Child) -> None:
        child.pid = child.start()
        child.starts.append(self._clock())
        child.again_at = 0.0
        logs.logger().info("child-started", child=child.name, pid=child.pid)

    def _alive(self) -> list[Child]:
        return [child for child in self._children if child.pid]


def forked(work: Callable[[], int]) -> Callable[[], int]:
    """Return a starter that forks and runs `work` in the child; the child ends with what it returns.

    Signals stay blocked until `work` has its handlers and calls `hear_signals`: none is lost, none kills it half made.
    """

    def start() -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        code = FAILED
        try:
            be_tied_to_parent(parent)
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            code = work()
        except BaseException as error:  # noqa: BLE001 — the last frame of a process: its text could quote a payload
            logs.logger().error("child-failed", kind=type(error).__name__, place=logs.place_of(error.__traceback__))
        finally:
            os._exit(code)

    return start


def hear_signals() -> None:
    """Let signals in; those that came meanwhile arrive now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def executed(command: list[str]) -> Callable[[], int]:
    """Return a starter that runs a command as a process of its own memory."""

    def start() -> int:
        tied = partial(be_tied_to_parent, os.getpid())
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=tied)  # noqa: S603 — our own command
        process.returncode = 0  # reaped by the supervisor, never by subprocess
        return process.pid

    return start


def listening(host: str, port: int, workers: int) -> list[socket.socket]:
    """Return a listening socket for each worker, all on one port: the kernel deals connections out evenly.

    One shared socket would not do: whoever wakes first takes every connection that waits. The supervisor keeps the
    sockets open, so that connections outlive the crash of a worker. Raises OSError when the port is taken.
    """
    with _bound(host, port, shared=False) as alone:  # sharing a port with a stranger is not what sharing is for
        port = alone.getsockname()[1]
    listeners = [_bound(host, port, shared=True) for _ in range(workers)]
    for one in listeners:
        one.listen(2048)
        one.setblocking(False)  # noqa: FBT003 — the library's own
    return listeners


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def checked_apart(check: Callable[[], None]) -> None:
    """Run a check in a child: what it starts (threads of a client library) must not be there when workers are forked.

    Raises Misconfigured as the check does. A server that is away is no reason not to start: workers say "not ready".
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        told = b""
        try:
            check()
        except Misconfigured as error:
            told = f"{error.code}\n{error.detail}".encode()
        except Unavailable as error:
            logs.logger().warning("broker-away", code=error.code)
        finally:
            os.write(writer, told)
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        code, _, detail = pipe.read().decode().partition("\n")
    os.waitpid(child, 0)
    if code:
        raise Misconfigured(code, detail)


def settle_memory() -> None:
    """Put what is loaded out of the collector's sight, so that forked workers go on sharing its pages."""
    gc.collect()
    gc.freeze()
