"""The server that an earlier demonstration left is ended, and the next one does not wait for who has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from gateway.cli.server_process import MODULE, PID, end_former

# Says when it is itself: just after a fork, and for a moment after that, the kernel knows no arguments of it.
WAITS = "import signal; print(flush=True); signal.pause()"


def test_a_former_server_that_ended_and_is_not_reaped_is_not_waited_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WAITS, MODULE, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as former:
        assert former.stdout is not None
        former.stdout.readline()
        (tmp_path / PID).write_text(f"{former.pid}\n")
        ended = []

        def wait(_seconds: float) -> None:
            assert not ended, "it has ended: nothing is left to wait for"
            ended.append(os.waitid(os.P_PID, former.pid, os.WEXITED | os.WNOWAIT))  # it stays a zombie

        try:
            end_former(tmp_path, wait=wait)
        finally:
            former.kill()  # who has ended already is not harmed; who has not would be waited for without end

    assert former.returncode == -signal.SIGTERM


def test_a_process_that_is_another_one_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        (tmp_path / PID).write_text(f"{other.pid}\n")

        try:
            end_former(tmp_path)

            assert other.poll() is None
        finally:
            other.kill()
