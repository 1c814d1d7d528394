"""Several writers on one database: any division of the log, persons and structures in common, one of them dying."""

from __future__ import annotations

import itertools
import random
import threading
import time
from pathlib import Path

import pytest

from streaming.digest import digest
from streaming.event import Event
from streaming.postgres import PostgresConnection
from streaming.postgres_store import PostgresStore
from streaming.table_writer import Pace, TableWriter
from tests.support.made_events import (
    FINESS,
    OTHER,
    condition,
    encounter,
    event,
    log_of,
    patient,
    resource,
    rules,
    written,
)
from tests.support.partitioned_log import PartitionedLog

pytestmark = pytest.mark.slow
PARTITIONS = 4
WITHIN_S = 300.0


class Died(BaseException):
    """Like a kill: nothing catches it."""


def story() -> list[Event]:
    """Return stays of two hospitals whose persons, merges and structures come through several partitions."""
    events: list[Event] = []
    for finess in (FINESS, OTHER):
        for n in range(30):
            alias, visit = f"rest-{n}", f"visit-{n}"
            ward = resource("Organization", "org-1", name=f"ward-{n % 3}", updated=n)
            stay = encounter(f"enc-{n}", visit, person=alias, nights=n, updated=1)
            events.append(event(patient(f"pat-{n}", alias), stay, ward, finess=finess, at=n))
            events.append(event(condition(f"c-{n}", f"I{n % 7}", person=alias, stay=visit), finess=finess, at=n + 100))
            if n % 5 == 4:  # two persons turn out to be one
                merged = patient(f"pat-{n}", alias, f"rest-{n - 1}", updated=500 + n)
                events.append(event(merged, finess=finess, at=n + 200))
    return events


def divided(events: list[Event]) -> PartitionedLog:
    shuffled = list(events)
    random.Random(5).shuffle(shuffled)
    return PartitionedLog([shuffled[n::PARTITIONS] for n in range(PARTITIONS)])


def applied(where: PostgresConnection) -> int:
    store = PostgresStore(where)
    try:
        idle = not store.state.is_dirty()
        return (store.state.counter("applied") or 0) if idle else -1
    finally:
        store.close()


@pytest.mark.parametrize("dying", [False, True], ids=["all-live", "one-dies"])
def test_writers_together_give_the_tables_of_one(dying: bool, postgres: PostgresConnection, tmp_path: Path) -> None:
    events = story()
    alone = written(tmp_path, log_of(events), pace=Pace(events=50, persons=50, coalesce_s=0.0))
    expected = digest(alone.sink)
    alone.close()
    log, stop = divided(events), threading.Event()
    failed: list[BaseException] = []

    planned = itertools.count(1)

    def at(label: str) -> None:  # whichever writer plans the third batch dies: one of them always gets there
        if dying and label == "planned" and next(planned) == 3:
            raise Died

    def work() -> None:
        store = PostgresStore(postgres)
        writer = TableWriter(store, consumer=log, rules=rules(), pace=Pace(events=7, persons=5, coalesce_s=0.0), at=at)
        try:
            writer.run(stop)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failed.append(error)
        finally:
            writer.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + WITHIN_S
    try:
        while applied(postgres) != len(events) and time.monotonic() < deadline:
            stop.wait(0.5)
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    store = PostgresStore(postgres)
    found, counted = digest(store.sink), store.state.counter("applied")
    store.close()
    assert [type(error) for error in failed] == ([Died] if dying else [])
    assert counted == len(events)
    assert found == expected
