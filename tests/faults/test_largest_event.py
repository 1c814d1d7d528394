"""What the gateway accepts, a real broker takes: the largest event to the byte; one byte more is a 413."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from fhir_profiles.values import RawBundle
from gateway import house
from gateway.decision import Decision, Sender, decide
from gateway.exchange import Target
from gateway.settings import load_settings
from streaming.dead_letter import DeadLetter
from streaming.event import MAX_EVENT_BYTES, Event, Record
from streaming.kafka_consumer import KafkaLog
from streaming.kafka_dead_letters import KafkaDeadLetters
from streaming.topics import BUNDLE, DEAD_LETTER, KafkaConnection
from tests.support.installation import FINESS, Installation
from tests.support.posted import bundle, patient, put

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]
SOURCE = "x" * 32  # the longest name of a source: it stands in the headers
COMPONENTS = 100
DIGITS = 12


@pytest.fixture
def installation(kafka: KafkaConnection, tmp_path: Path) -> Installation:
    """A gateway on the real broker."""
    made = Installation(tmp_path / "data", "--test-identities", "--french-profiles", "declared", "--source", SOURCE)
    with (made.data_dir / "gateway.toml").open("a") as settings:
        settings.write(f'broker = "kafka"\nkafka_replication = 1\nkafka_bootstrap = "{kafka.bootstrap[0]}"\n')
    return made


def observation(number: int, values: list[int]) -> dict[str, Any]:
    """Codes that are none are hashed: random, as the values are, and no compression shortens them."""
    return {
        "resourceType": "Observation", "id": f"o{number}", "status": "final", "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "effectiveDateTime": "2024-01-01T00:00:00Z",
        "component": [
            {
                "code": {"coding": [{"system": "http://loinc.org", "code": f"none-{number}-{place}"}]},
                "valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": "mg"},
            }
            for place, value in enumerate(values)
        ],
    }  # fmt: skip


def body_of(values: list[int]) -> bytes:
    parts = [values[at : at + COMPONENTS] for at in range(0, len(values), COMPONENTS)]
    entries = (put(observation(number, part)) for number, part in enumerate(parts))
    return orjson.dumps(
        bundle("transaction", put(patient("p"), fullUrl="https://his.example/fhir/Patient/p"), *entries)
    )


def decider(installation: Installation) -> Callable[[bytes], Decision]:
    known = house.load(load_settings(installation.data_dir, {}))
    contract = known.access.contract(FINESS)
    assert contract is not None
    sender = Sender(contract, SOURCE, known.access.keys[FINESS])
    return lambda body: decide(
        RawBundle(body), Target(), sender=sender, yardstick=known.yardstick, received_at=datetime.now(UTC), placed=False
    )


def values_for(size: int, decided: Callable[[bytes], Decision]) -> list[int]:
    """Return measured values whose event has so many bytes."""

    def event_size(values: list[int]) -> int:
        [event] = decided(body_of(values)).events
        return len(event.value)

    one_more = (event_size([1] * 2 * COMPONENTS) - event_size([1] * COMPONENTS)) / COMPONENTS
    values = [1] * (int(size / one_more) - COMPONENTS)
    short = size - event_size(values)
    for at in range(-(-short // (DIGITS - 1))):
        values[at] = 10 ** min(short - at * (DIGITS - 1), DIGITS - 1)
    assert event_size(values) == size
    return values


def test_the_largest_event_gets_through_and_one_byte_more_is_refused(
    installation: Installation, kafka: KafkaConnection
) -> None:
    values = values_for(MAX_EVENT_BYTES, decider(installation))
    larger, small = [*values[:-1], 10], [1]

    with installation.serving(), installation.client() as client:
        answers = [answered(client, body_of(one)) for one in (values, larger, small)]

    assert [answer.status_code for answer in answers] == [200, 413, 200], [answer.text[-700:] for answer in answers]
    assert answers[1].json()["issue"][0]["details"]["coding"][0]["code"] == "event-too-large"
    assert MAX_EVENT_BYTES in {len(event.value) for event in read(kafka, BUNDLE)}


def test_an_event_of_the_largest_size_is_also_taken_as_a_dead_letter(
    installation: Installation, kafka: KafkaConnection
) -> None:
    [event] = decider(installation)(body_of([1])).events
    largest = Event(event.id, event.key, event.headers, secrets.token_bytes(MAX_EVENT_BYTES))
    announce = KafkaDeadLetters(kafka)

    announce([DeadLetter(Record(11, 2**63 - 1, largest), "rows-refused", "convert")])
    announce.close()

    assert [len(one.value) for one in read(kafka, DEAD_LETTER)] == [MAX_EVENT_BYTES]


def answered(client: httpx.Client, body: bytes) -> httpx.Response:
    """Post as a hospital does: again while a worker is not ready yet."""
    deadline = time.monotonic() + 300
    while (answer := client.post("/fhir", content=body)).status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def read(kafka: KafkaConnection, topic: str) -> list[Event]:
    log = KafkaLog(kafka, topic=topic, answer_s=120)
    try:
        return [record.event for partition in log.partitions() for record in log.tail(partition, -1)]
    finally:
        log.close()
