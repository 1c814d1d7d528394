"""The supervisor: restarts within bounds, an end with the right code, checks that leave nothing behind."""

from __future__ import annotations

import subprocess
import sys
import tempfile

import pytest

from fhir_profiles.errors import Misconfigured, Unavailable
from gateway.server import checked_apart, listening
from tests.support.ports import free_port

SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from gateway import logs, server, supervised
logs.configure("error", process="test")
server.PAUSE_S = server.LONGEST_PAUSE_S = 0.0
server.mark_dead = lambda pid: None

def forever():
    told = []
    signal.signal(signal.SIGTERM, lambda *_: told.append(1))
    server.hear_signals()
    while not told:
        time.sleep(0.02)
    return 0

ROUNDS = Path({rounds!r})

ROUNDS.touch()

def crash():
    with ROUNDS.open("a") as file:
        file.write("x")
    return 3

def killed():
    crash()
    os.kill(os.getpid(), signal.SIGKILL)

def after(rounds):
    # ends everything once the other child was started so often, and half a second later: for one start too many
    while len(ROUNDS.read_text()) < rounds:
        time.sleep(0.02)
    time.sleep(0.5)
    return tell_parent()

def deaf():
    time.sleep(600)
    return 0

def tell_parent():
    os.kill(os.getppid(), signal.SIGTERM)
    return 0

children = {children}
code = server.Supervisor(children).run()
print(code, [len(one.starts) for one in children], [one.pid for one in children])
"""


def supervised(children: str) -> subprocess.CompletedProcess[str]:
    """Run a supervisor of these children in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        script = SCRIPT.format(children=children, rounds=f"{folder}/rounds")
        return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600, check=False)


def run(children: str) -> str:
    """Return what such a supervisor says at its end."""
    done = supervised(children)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_child_that_always_crashes_ends_everything_after_some_restarts() -> None:
    assert run('[server.Child("a", server.forked(lambda: 3)), server.Child("b", server.forked(forever))]') == (
        "1 [6, 1] [0, 0]"
    )


def test_a_child_that_lived_a_while_before_each_end_is_always_started_again() -> None:
    said = run(
        '(setattr(server, "STEADY_S", 0.0), [server.Child("a", server.forked(crash)),'
        ' server.Child("b", server.forked(lambda: after(7)))])[1]'
    )

    assert int(said.split()[1].strip("[,")) > 6


def test_a_worker_that_cannot_come_up_beside_one_that_serves_ends_nothing() -> None:
    said = run(
        '(setattr(server, "STEADY_S", 0.4), [server.Child("a", server.forked(lambda: time.sleep(0.1) or crash())),'
        ' server.Child("b", server.forked(lambda: after(12)))])[1]'
    )

    assert int(said.split()[1].strip("[,")) > 6


def test_a_table_writer_that_is_killed_again_and_again_is_always_started_again() -> None:
    said = run(
        '[server.Child("a", server.forked(killed), vital=False), server.Child("b", server.forked(lambda: after(7)))]'
    )

    assert int(said.split()[1].strip("[,")) > 6


def test_a_child_that_is_not_vital_does_not() -> None:
    said = run(
        '[server.Child("a", server.forked(crash), vital=False), server.Child("b", server.forked(lambda: after(6)))]'
    )

    assert said == "0 [6, 1] [0, 0]"


def test_a_wrong_configuration_is_told_by_the_code_and_not_tried_again() -> None:
    assert run('[server.Child("a", server.forked(lambda: 78)), server.Child("b", server.forked(forever))]') == (
        "78 [1, 1] [0, 0]"
    )


def test_a_signal_ends_all_children_with_0() -> None:
    assert run('[server.Child("a", server.forked(forever)), server.Child("b", server.forked(tell_parent))]') == (
        "0 [1, 1] [0, 0]"
    )


def test_a_child_that_does_not_listen_is_killed_and_the_code_says_so() -> None:
    said = run(
        '(setattr(server, "ENDS_WITHIN_S", 0.3), [server.Child("a", server.forked(deaf)),'
        ' server.Child("b", server.forked(tell_parent))])[1]'
    )

    assert said == "1 [1, 1] [0, 0]"


def test_an_exception_of_a_child_shows_its_place_and_never_its_text() -> None:
    done = supervised(
        '[server.Child("a", server.forked(lambda: int("zqsecret"))), server.Child("b", server.forked(forever))]'
    )

    assert '"kind":"ValueError"' in done.stderr
    assert "zqsecret" not in done.stderr


def test_a_check_in_a_child_is_raised_here() -> None:
    def wrong() -> None:
        raise Misconfigured("topic-missing", "snds.bundle.v1: run snds-gateway topics create")

    with pytest.raises(Misconfigured, match=r"topic-missing: snds\.bundle\.v1"):
        checked_apart(wrong)


def test_a_server_that_is_away_is_no_reason_not_to_start(capfd: pytest.CaptureFixture[str]) -> None:
    def away() -> None:
        raise Unavailable("broker-away")

    checked_apart(away)
    checked_apart(lambda: None)

    assert "Traceback" not in capfd.readouterr().err


def test_each_worker_has_a_socket_of_its_own_on_one_port_that_nobody_else_may_share() -> None:
    listeners = listening("127.0.0.1", free_port(), 3)
    try:
        [port] = {one.getsockname()[1] for one in listeners}
        with pytest.raises(OSError, match="in use"):
            listening("127.0.0.1", port, 1)
    finally:
        for one in listeners:
            one.close()
