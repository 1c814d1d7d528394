"""Dying at any labelled point and starting again gives the tables of a run without a fault. Promise: P6."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fhir_profiles.errors import Misconfigured
from streaming.accounts import status
from streaming.broker import READ_BYTES
from streaming.digest import digest
from streaming.memory_log import MemoryLog
from streaming.store import EmbeddedStore
from streaming.table_writer import Pace, TableWriter
from tests.support.made_events import condition, encounter, event, log_of, patient, rules, written

POINTS = ("read", "staged", "planned", "written", "settled", "published")
PACE = Pace(events=2, persons=1, coalesce_s=0.0)
ONE = Pace(events=1, persons=1, coalesce_s=0.0)

STORY = [
    event(patient("pat-1", "rest-1"), encounter("enc-1", "v1", person="rest-1"), condition("c1", "I10", stay="v1")),
    event(patient("pat-2", "rest-2"), encounter("enc-2", "v2", person="rest-2"), at=1),
    event(patient("pat-2", "rest-2", "rest-1"), at=2),
    event(patient("pat-2", "rest-2"), condition("c1", "E11", stay="v1"), at=3),
    event(encounter("enc-1", "v1", person="rest-1", period={"end": "2023-03-05T11:00:00+01:00"}), at=4),
    event(encounter("enc-2", "v2", person="rest-2", status="in-progress"), at=5),
]


class Died(BaseException):
    """Like a kill: nothing catches it."""


def dying(point: str, times: int) -> Callable[[str], None]:
    """Return a hook that dies the `times`-th time a labelled point is reached."""
    left = [times]

    def at(label: str) -> None:
        if label == point:
            left[0] -= 1
            if left[0] == 0:
                raise Died

    return at


def run_until_it_dies(folder: Path, log: MemoryLog, point: str, times: int, *, pace: Pace = PACE) -> bool:
    writer = TableWriter(folder, consumer=log, rules=rules(), pace=pace, at=dying(point, times))
    try:
        writer.drain()
    except Died:
        return True
    finally:
        writer.close()
    return False


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    writer = written(tmp_path_factory.mktemp("reference"), log_of(STORY))
    expected = digest(writer.sink)
    writer.close()
    return expected


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_then_a_restart_gives_the_same_tables(point: str, times: int, tmp_path: Path, reference: str) -> None:
    log = log_of(STORY)

    died = run_until_it_dies(tmp_path, log, point, times)
    writer = written(tmp_path, log, pace=PACE)
    after = digest(writer.sink)
    writer.close()

    assert died or point == "published"
    assert after == digest(tmp_path) == reference
    assert status(tmp_path).applied == len(STORY)


def test_dying_again_and_again_still_ends_well(tmp_path: Path, reference: str) -> None:
    log = log_of(STORY)

    for point in POINTS * 2:
        run_until_it_dies(tmp_path, log, point, 2)
    writer = written(tmp_path, log, pace=PACE)
    writer.close()

    assert digest(tmp_path) == reference


def test_big_batches_are_staged_together_and_a_crash_among_them_keeps_none(tmp_path: Path, reference: str) -> None:
    big = [replace(one, value=one.value + b" " * READ_BYTES) for one in STORY]
    log, labels = log_of(big), list[str]()

    died = run_until_it_dies(tmp_path, log, "read", 3, pace=ONE)
    kept = status(tmp_path).applied
    writer = TableWriter(tmp_path, consumer=log, rules=rules(), pace=ONE, at=labels.append)
    writer.drain()
    writer.close()

    assert (died, kept) == (True, 0)
    assert digest(tmp_path) == reference
    assert status(tmp_path).applied == len(STORY)
    assert labels.count("staged") == -(-len(STORY) * READ_BYTES // EmbeddedStore.staged_at_once)


def test_a_second_writer_is_refused_with_a_clear_line(tmp_path: Path) -> None:
    log = log_of(STORY)
    writer = written(tmp_path, log)

    with pytest.raises(Misconfigured, match="another table writer"):
        TableWriter(tmp_path, consumer=log, rules=rules())

    writer.close()
    TableWriter(tmp_path, consumer=log, rules=rules()).close()


def test_another_log_than_the_one_applied_is_refused(tmp_path: Path) -> None:
    written(tmp_path, log_of(STORY)).close()

    with pytest.raises(Misconfigured, match="offset-foreign"):
        written(tmp_path, log_of(STORY))


def test_a_log_that_lost_its_end_or_its_beginning_is_refused(tmp_path: Path) -> None:
    log = log_of(STORY)
    written(tmp_path / "beyond", log).close()
    log._records.pop()
    with pytest.raises(Misconfigured, match="offset-beyond"):
        written(tmp_path / "beyond", log)

    trimmed = log_of(STORY)
    trimmed.first_offset = lambda _: 3  # type: ignore[method-assign]
    with pytest.raises(Misconfigured, match="offset-lost"):
        written(tmp_path / "lost", trimmed)
