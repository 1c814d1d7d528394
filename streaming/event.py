"""DeidentifiedBundle → Event: the record that a log keeps and a consumer reads (DESIGN §5).

Headers are CloudEvents 1.0 in binary mode. `ce_id` is deterministic: a resend gives the same event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from transformers.deidentify.pseudonyms import LedgerKey
from transformers.deidentify.values import DeidentifiedBundle

CE_TYPE = "fr.snds-gateway.bundle.v1"
CONTENT_TYPE = "application/fhir+json"
MAX_MESSAGE_BYTES = 10 * 1024 * 1024
"""What every topic must take (`max.message.bytes`): start refuses topics that take less (`topics.check_topics`)."""
MAX_EVENT_BYTES = MAX_MESSAGE_BYTES - 64 * 1024
"""The largest value of an event: the rest is for key, headers and framing. The intake answers 413 to a larger one."""


@dataclass(frozen=True, slots=True, repr=False)
class Event:
    """One record: `key` and `value` as bytes of UTF-8 text, `headers` in the order they are written."""

    id: str
    key: str
    headers: Mapping[str, str]
    value: bytes

    def __repr__(self) -> str:
        return f"Event({len(self.value)} bytes)"


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """An event as read from a log, with its partition and offset."""

    partition: int
    offset: int
    event: Event

    def __repr__(self) -> str:
        return f"Record(partition={self.partition}, offset={self.offset})"


def event_of(
    bundle: DeidentifiedBundle, *, ledger: LedgerKey, received_at: datetime, definitions_version: str
) -> Event:
    """Build the event of one de-identified bundle. `received_at` is aware UTC."""
    event_id = ledger.event_id(bundle.bundle_identity, bundle.key, bundle.body)
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_type": CE_TYPE,
        "ce_source": f"/hospital/{bundle.finess}/{bundle.source}",
        "ce_time": received_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "content-type": CONTENT_TYPE,
        "key-id": bundle.key_id,
        "rules-version": bundle.rules_version,
        "definitions-version": definitions_version,
    }
    return Event(id=event_id, key=bundle.key, headers=headers, value=bundle.body)


def record_of(partition: int, offset: int, key: str, headers: str, value: bytes) -> Record:
    """Make the record of one stored row; `headers` is their JSON text."""
    named = orjson.loads(headers)
    return Record(partition, offset, Event(str(named.get("ce_id", "")), key, named, value))
