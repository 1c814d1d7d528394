"""Loopback ports for servers of tests: each is given once, whatever else runs on this machine at the same time.

Outside the range from which the kernel serves outgoing connections: there a client may take a port between its choice
and its use, and one that knocks again and again where nobody listens may be connected to itself and keep a server out.
"""

from __future__ import annotations

import errno
import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

LOCKS = Path(tempfile.gettempdir()) / f"snds-test-ports-{os.getuid()}"
OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
FIRST, LAST = 12_000, 65_000
FEWEST = 2_000
HELD: list[int] = []
"""Open lock files: a port is ours until this process ends, so that a server may come back on the port it had."""


def free_port() -> int:
    """Return a loopback port that nobody listens on and that no other test of this machine has been given."""
    LOCKS.mkdir(mode=0o700, exist_ok=True)
    for port in _candidates():
        if _reserved(port):
            return port
    raise OSError(errno.EADDRINUSE, "no free port")


def _candidates() -> Iterator[int]:
    """Yield ports in any order; a seed that a test framework sets must not make two processes begin alike."""
    low, high = (int(one) for one in OUTGOING.read_text().split()) if OUTGOING.exists() else (LAST, LAST)
    outside = [port for port in range(FIRST, LAST) if not low <= port <= high]
    ports = outside if len(outside) >= FEWEST else list(range(FIRST, LAST))
    yield from random.SystemRandom().sample(ports, len(ports))


def _reserved(port: int) -> bool:
    """Take a port for this process, or say that somebody has it."""
    lock = os.open(LOCKS / str(port), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as probe:
            probe.bind(("", port))  # of every address: a server of this machine may listen on another one
    except OSError:
        os.close(lock)
        return False
    HELD.append(lock)
    return True
