"""The topics of the server form: names, partitions, retention (DESIGN §5). `topics create` alone makes them.

Start checks them: a topic with another partition count would break the order of a patient's events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

from fhir_profiles.errors import Misconfigured, Unavailable

BUNDLE = "snds.bundle.v1"
DEAD_LETTER = "snds.dead-letter.v1"
OPPOSITION = "snds.opposition.v1"
COUNTS = "snds.counts.v1"

DAY_MS = 86_400_000
MAX_MESSAGE_BYTES = 10 * 1024 * 1024
KEPT_A_WEEK = {
    "cleanup.policy": "delete",
    "retention.ms": str(7 * DAY_MS),
    "segment.ms": str(DAY_MS),
    "max.message.bytes": str(MAX_MESSAGE_BYTES),
}
COMPACTED = {"cleanup.policy": "compact"}


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: `config` holds the broker's own setting names and values."""

    name: str
    partitions: int
    config: Mapping[str, str]


TOPICS = (
    Topic(BUNDLE, 12, KEPT_A_WEEK),
    Topic(DEAD_LETTER, 1, KEPT_A_WEEK),
    Topic(OPPOSITION, 1, COMPACTED),
    Topic(COUNTS, 1, COMPACTED),
)


@dataclass(frozen=True, slots=True, repr=False)
class KafkaConnection:
    """Where the brokers are and how to speak to them.

    `security` holds kafka-python's own `security_protocol`, `ssl_*` and `sasl_*` arguments; it is never printed.
    """

    bootstrap: tuple[str, ...]
    security: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"KafkaConnection(brokers={len(self.bootstrap)})"

    def arguments(self) -> dict[str, Any]:
        """Return what every client of this product passes (kafka-broker.md, pitfalls 4, 6 and 7)."""
        return {
            "bootstrap_servers": list(self.bootstrap),
            "reconnect_backoff_max_ms": 1_000,
            "bootstrap_timeout_ms": 5_000,
            "allow_auto_create_topics": False,
            **self.security,
        }


def admin(connection: KafkaConnection, *, timeout_ms: int = 5_000) -> KafkaAdminClient:
    """Open an administration client, or raise `Unavailable`."""
    arguments = connection.arguments()
    del arguments["allow_auto_create_topics"]
    try:
        return KafkaAdminClient(**arguments, request_timeout_ms=timeout_ms)
    except KafkaError as error:
        raise Unavailable("broker-away") from error


def create_topics(connection: KafkaConnection, *, replication: int = 3) -> Sequence[str]:
    """Create the topics that do not exist; return their names. Existing ones are left as they are."""
    client = admin(connection)
    try:
        existing = set(client.list_topics())
        wanted = [topic for topic in TOPICS if topic.name not in existing]
        replicas = min(replication, len(client.describe_cluster()["brokers"]))
        isr = {"min.insync.replicas": str(max(1, replicas - 1))}
        if wanted:
            client.create_topics(
                [
                    NewTopic(topic.name, topic.partitions, replicas, topic_configs={**topic.config, **isr})
                    for topic in wanted
                ]
            )
            client.wait_for_topics([topic.name for topic in wanted])
        return [topic.name for topic in wanted]
    except KafkaError as error:
        raise Unavailable("broker-away") from error
    finally:
        client.close()


def check_topics(connection: KafkaConnection) -> None:
    """Refuse to start on a missing topic or another partition count. Raises Misconfigured, Unavailable."""
    client = admin(connection)
    try:
        found = {one["name"]: one for one in client.describe_topics([topic.name for topic in TOPICS])}
    except KafkaError as error:
        raise Unavailable("broker-away") from error
    finally:
        client.close()
    for topic in TOPICS:
        partitions = found.get(topic.name, {}).get("partitions") or []
        if not partitions:
            raise Misconfigured("topic-missing", f"{topic.name}: run snds-gateway topics create")
        if len(partitions) != topic.partitions:
            raise Misconfigured("topic-partitions", f"{topic.name} has not {topic.partitions} partitions")
