"""Ports for servers: two test runs at the same time never get the same one, nor one that a client may be given."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from tests.support.ports import OUTGOING, free_port

PROJECT = Path(__file__).resolve().parents[2]
COUNT = 40
ASK = f"""
import sys
from tests.support.ports import free_port
print(*(free_port() for _ in range({COUNT})), flush=True)
sys.stdin.read()
"""


def test_processes_that_ask_at_the_same_time_share_no_port() -> None:
    command = [sys.executable, "-c", ASK]
    asking = [
        subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    given = [free_port() for _ in range(COUNT)]
    for one in asking:
        assert one.stdout is not None
        given += map(int, one.stdout.readline().split())  # while the others hold theirs
    for one in asking:
        one.communicate("")

    assert len(set(given)) == len(given) == 3 * COUNT


def test_a_port_is_free_and_none_of_those_of_outgoing_connections() -> None:
    port = free_port()
    low, high = map(int, OUTGOING.read_text().split())

    assert not low <= port <= high
    with socket.create_server(("127.0.0.1", port)):
        assert free_port() != port
