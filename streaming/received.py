"""The stream → typed events: what another consumer builds its own tables from (docs/stream-contract.md).

    for event in read_events(Path("data")): ...          # or a KafkaConnection

Reads at its own pace and keeps no offset: give back the last one of each partition to go on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from fhir_profiles.errors import Poisoned, Unavailable
from streaming.broker import Consumer
from streaming.embedded_log import EmbeddedConsumer
from streaming.event import CE_TYPE, Record
from streaming.reading import LOG
from streaming.staging import read_event

if TYPE_CHECKING:
    from streaming.topics import KafkaConnection

POLL_S = 0.2


@dataclass(frozen=True, slots=True, repr=False)
class ReceivedEvent:
    """One event: its place in the log, who sent it and when, and its de-identified FHIR resources.

    `key` is the record's key (one person, structure or removed resource); `headers` are all of them.
    """

    partition: int
    offset: int
    id: str
    key: str
    finess: str
    received_at: datetime
    headers: Mapping[str, str]
    resources: Sequence[Mapping[str, Any]]

    def __repr__(self) -> str:
        return f"ReceivedEvent(partition={self.partition}, offset={self.offset}, resources={len(self.resources)})"


def received(record: Record) -> ReceivedEvent:
    """Read one record of version 1. Raises `Poisoned` with a code when it is none."""
    delivery = read_event(record)
    headers = record.event.headers
    entries = orjson.loads(record.event.value).get("entry", [])
    return ReceivedEvent(
        partition=record.partition,
        offset=record.offset,
        id=record.event.id,
        key=record.event.key,
        finess=delivery.finess,
        received_at=datetime.fromisoformat(headers["ce_time"].replace("Z", "+00:00")).astimezone(UTC),
        headers=headers,
        resources=tuple(entry["resource"] for entry in entries),
    )


def read_events(
    source: Path | KafkaConnection,
    *,
    after: Mapping[int, int] | None = None,
    follow: bool = False,
    skipped: Callable[[Record, str], None] | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[ReceivedEvent]:
    """Yield the events of a data folder, or of the topic, in the order of each partition.

    Args:
        source: The data folder of an embedded installation, or where the brokers are.
        after: The last offset read of each partition; from the beginning by default.
        follow: Wait for more instead of ending at the last one (close the iterator to end).
        skipped: Told of a record that is no event, with a code; without it such a record raises `Poisoned`.
            Events of another type than this version's are always passed over.
        wait: How to wait between two looks.

    Raises:
        Unavailable: the log does not exist, or the broker does not answer.
    """
    for record in read_records(source, after=after, follow=follow, wait=wait):
        yield from _one(record, skipped)


def read_records(
    source: Path | KafkaConnection,
    *,
    after: Mapping[int, int] | None = None,
    follow: bool = False,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Record]:
    """Yield what stands in the log as it is, whatever it is; arguments and errors are those of `read_events`."""
    with closing(_open(source)) as consumer:
        positions = dict.fromkeys(consumer.partitions(), consumer.origin - 1) | dict(after or {})
        while True:
            ends = {partition: consumer.last_offset(partition) for partition in positions}
            for partition, last in ends.items():
                for record in consumer.tail(partition, positions[partition]):
                    positions[partition] = record.offset
                    yield record
                    if record.offset >= last:
                        break
            if not follow:
                return
            if all(positions[partition] >= last for partition, last in ends.items()):
                wait(POLL_S)


def _one(record: Record, skipped: Callable[[Record, str], None] | None) -> Iterator[ReceivedEvent]:
    if record.event.headers.get("ce_type", CE_TYPE) != CE_TYPE:  # a later version's own stream of events
        return
    try:
        yield received(record)
    except Poisoned as poison:
        if skipped is None:
            raise
        skipped(record, poison.code)


class _Opened(Consumer, Protocol):
    def close(self) -> None:
        """Let go of it."""
        ...


def _open(source: Path | KafkaConnection) -> _Opened:
    if isinstance(source, Path):
        if not (source / LOG).is_file():
            raise Unavailable("store-missing")
        return EmbeddedConsumer(source / LOG)
    from streaming.kafka_consumer import KafkaLog

    return KafkaLog(source)
