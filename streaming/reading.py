"""D/events.sqlite → events: what any other program does to follow the de-identified stream (`events tail`).

Read only, at its own pace, from any offset; the writer of the tables has no privilege over it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from streaming import sqlite
from streaming.embedded_log import SELECT
from streaming.event import Record, record_of

LOG = "events.sqlite"
BATCH = 256
POLL_S = 0.2


def events(
    data_dir: Path, *, from_offset: int = 1, follow: bool = False, wait: Callable[[float], None] = time.sleep
) -> Iterator[Record]:
    """Yield the events of an installation from an offset on, in order.

    Ends at the last one, or waits for more with `follow` (close the iterator to end). Raises `Unavailable`
    (`store-missing`) when the installation has no log yet.

    Example: `for record in events(Path("data")): print(record.offset, record.event.key)`
    """
    connection = sqlite.connect_read_only(data_dir / LOG)
    after = from_offset - 1
    try:
        while True:
            rows = connection.execute(SELECT, (after, BATCH)).fetchall()
            for offset, key, headers, value in rows:
                after = offset
                yield record_of(0, offset, key, headers, value)
            if not rows and not follow:
                return
            if not rows:
                wait(POLL_S)
    finally:
        connection.close()


def as_json(record: Record, *, partitioned: bool = False) -> bytes:
    """Write one event as the JSON line of `events tail --format json`; with its partition where there are several."""
    event = record.event
    place = {"partition": record.partition} if partitioned else {}
    line = {
        **place,
        "offset": record.offset,
        "key": event.key,
        "headers": event.headers,
        "value": orjson.Fragment(event.value),
    }
    return orjson.dumps(line)
