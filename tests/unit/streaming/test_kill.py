"""The writer killed for real (SIGKILL) at five labelled points, then started again. Promise: P6."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from streaming.accounts import status
from streaming.broker import Counts
from streaming.digest import digest
from streaming.embedded_log import EmbeddedLog
from streaming.table_writer import Pace, embedded_writer
from tests.support.made_events import FINESS, condition, encounter, event, log_of, patient, rules, written

pytestmark = pytest.mark.slow

STORY = [
    event(patient("pat-1", "rest-1"), encounter("enc-1", "v1", person="rest-1"), condition("c1", "I10", stay="v1")),
    event(patient("pat-2", "rest-2"), encounter("enc-2", "v2", person="rest-2"), at=1),
    event(encounter("enc-1", "v1", person="rest-1", nights=2), condition("c1", "E11", stay="v1"), at=2),
]

KILLED = """
    import os, signal, sys
    from pathlib import Path
    from streaming.embedded_log import EmbeddedConsumer
    from streaming.table_writer import Pace, TableWriter
    from tests.support.made_events import rules

    folder, point, left = Path(sys.argv[1]), sys.argv[2], [2]

    def at(label):
        if label == point:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    consumer = EmbeddedConsumer(folder / "events.sqlite")
    writer = TableWriter(folder, consumer=consumer, rules=rules(), pace=Pace(1, 1, 0.0), at=at)
    writer.drain()
"""


@pytest.mark.parametrize("point", ["read", "staged", "planned", "written", "settled"])
async def test_a_killed_writer_loses_and_doubles_nothing(point: str, tmp_path: Path) -> None:
    reference = written(tmp_path / "reference", log_of(STORY))
    expected = digest(reference.sink)
    reference.close()
    folder = tmp_path / "data"
    log = EmbeddedLog(folder / "events.sqlite")
    await log.publish(STORY, Counts(FINESS, received=3, published=3))
    await log.close()

    died = _killed(folder, point)
    with embedded_writer(folder, rules(), pace=Pace(1, 1, 0.0)) as writer:
        writer.drain()

    assert died == -signal.SIGKILL
    assert digest(folder) == expected
    assert (status(folder).applied, status(folder).idle) == (3, True)


def _killed(folder: Path, point: str) -> int:
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(folder), point]
    return subprocess.run(command, cwd=Path(__file__).parents[3], timeout=240, check=False).returncode
