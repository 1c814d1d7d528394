"""The topics of the server form: names, partitions, retention (DESIGN §5). `topics create` alone makes them.

Start checks them: another partition count breaks the order of a patient's events, a shorter retention loses them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from fhir_profiles.errors import Misconfigured, Unavailable
from streaming.event import MAX_MESSAGE_BYTES

BUNDLE = "snds.bundle.v1"
DEAD_LETTER = "snds.dead-letter.v1"
OPPOSITION = "snds.opposition.v1"
COUNTS = "snds.counts.v1"

PARTITIONS = 12
DAY_MS = 86_400_000
ASKED_AGAIN, ASKED_AGAIN_AFTER_S = 10, 0.3
# The broker's clock, not the gateway's: with the sender's, a gateway an hour ahead is refused (Kafka 4), and what one
# a week behind wrote is old enough to be deleted at once.
BROKER_CLOCK = {"message.timestamp.type": "LogAppendTime"}
KEPT_A_WEEK = {
    **BROKER_CLOCK,
    "cleanup.policy": "delete",
    "retention.ms": str(7 * DAY_MS),
    "segment.ms": str(DAY_MS),
    "max.message.bytes": str(MAX_MESSAGE_BYTES),
}
COMPACTED = {**BROKER_CLOCK, "cleanup.policy": "compact"}
DENIED = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError, GroupAuthorizationFailedError)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: `config` holds the broker's own setting names and values."""

    name: str
    partitions: int
    config: Mapping[str, str]


TOPICS = (
    Topic(BUNDLE, PARTITIONS, KEPT_A_WEEK),
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
        # at DEBUG the library writes keys and values; what it says of a lost broker, we say ourselves
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
        return {
            "bootstrap_servers": list(self.bootstrap),
            "reconnect_backoff_max_ms": 1_000,
            "bootstrap_timeout_ms": 5_000,
            "allow_auto_create_topics": False,
            **self.security,
        }


def away(error: KafkaError) -> Unavailable:
    """Return what a failed exchange with the broker means for the caller; the library's text goes nowhere."""
    return Unavailable("broker-denied" if isinstance(error, DENIED) else "broker-away")


def admin(connection: KafkaConnection, *, timeout_ms: int = 5_000) -> KafkaAdminClient:
    """Open an administration client, or raise `Unavailable`."""
    arguments = connection.arguments()
    del arguments["allow_auto_create_topics"]
    try:
        return KafkaAdminClient(**arguments, request_timeout_ms=timeout_ms)
    except KafkaError as error:
        raise away(error) from None


def create_topics(connection: KafkaConnection, *, replication: int, min_isr: int | None = None) -> Sequence[str]:
    """Create the topics that do not exist; return their names. Existing ones are left as they are.

    `min_isr` is one less than `replication` unless given, 1 at least. Raises `Misconfigured` (`too-few-brokers`) when
    there are fewer brokers than copies: fewer copies than were asked for would be a promise broken in silence.
    """
    client = admin(connection)
    try:
        existing = set(client.list_topics())
        wanted = [topic for topic in TOPICS if topic.name not in existing]
        brokers = len(client.describe_cluster()["brokers"])
        in_sync = {"min.insync.replicas": str(min_isr or max(1, replication - 1))}
        if wanted and brokers < replication:
            raise Misconfigured(
                "too-few-brokers",
                f"kafka_replication = {replication}, brokers that answer: {brokers}; no topic was made",
            )
        if wanted:
            client.create_topics(
                [
                    NewTopic(topic.name, topic.partitions, replication, topic_configs={**topic.config, **in_sync})
                    for topic in wanted
                ]
            )
            client.wait_for_topics([topic.name for topic in wanted])
        return [topic.name for topic in wanted]
    except KafkaError as error:
        raise away(error) from None
    finally:
        client.close()


def check_topics(connection: KafkaConnection, *, copies: int = 1) -> None:
    """Refuse to start on topics that cannot keep the promises, or have fewer copies than the settings ask for.

    Raises `Misconfigured`: `topic-missing`, `topic-partitions`, `topic-copies`, `topic-settings`, `topic-unreadable`,
    with one line that names the topic and the setting; `Unavailable` when the broker does not answer.
    """
    client = admin(connection)
    try:
        found = {one["name"]: one for one in client.describe_topics([topic.name for topic in TOPICS])}
        for topic in TOPICS:
            partitions = found.get(topic.name, {}).get("partitions") or []
            if not partitions:
                raise Misconfigured("topic-missing", f"{topic.name}: run snds-gateway topics create")
            if len(partitions) != topic.partitions:
                raise Misconfigured("topic-partitions", f"{topic.name} has not {topic.partitions} partitions")
        settings = _settings(client)
    except KafkaError as error:
        raise away(error) from None
    finally:
        client.close()
    replicas = {
        name: min(len(partition["replica_nodes"]) for partition in one["partitions"]) for name, one in found.items()
    }
    for topic in TOPICS:
        if replicas[topic.name] < copies:
            problem = f"kafka_replication = {copies}, copies it has: {replicas[topic.name]}"
            raise Misconfigured("topic-copies", f"{topic.name}: {problem}")
        if not settings[topic.name]:
            raise Misconfigured("topic-unreadable", f"{topic.name}: the right DescribeConfigs on it is missing")
        for problem in _problems(topic, settings[topic.name], replicas[topic.name]):
            raise Misconfigured("topic-settings", f"{topic.name}: {problem}")


def _problems(topic: Topic, values: Mapping[str, str], replicas: int) -> Iterator[str]:
    policy = topic.config["cleanup.policy"]
    for name in ("cleanup.policy", "message.timestamp.type"):
        if values.get(name) != topic.config[name]:
            yield f"{name} must be {topic.config[name]}"
    for name in ("retention.ms", "max.message.bytes"):
        given, least = int(values.get(name, 0)), int(topic.config.get(name, 0))
        if policy == "delete" and 0 <= given < least:
            yield f"{name} is {given}, at least {least} is needed"
    if int(values.get("min.insync.replicas", 1)) < max(1, min(2, replicas - 1)):
        yield "min.insync.replicas must be 2 where there are 3 replicas"
    if values.get("unclean.leader.election.enable") == "true":
        yield "unclean.leader.election.enable must be false"


def _settings(client: KafkaAdminClient) -> dict[str, dict[str, str]]:
    """Return the settings of each topic; none of one that may not be read.

    The client tells no error of a single topic: a broker that has not heard of a new topic yet says nothing of it
    either, so the question is asked again before it counts.
    """
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in TOPICS]
    for _ in range(ASKED_AGAIN):
        answer = client.describe_configs(asked, config_filter="all").get("topic", {})
        if all(answer.get(topic.name) for topic in TOPICS):
            break
        time.sleep(ASKED_AGAIN_AFTER_S)
    return {
        topic.name: {setting: str(one["value"]) for setting, one in answer.get(topic.name, {}).items()}
        for topic in TOPICS
    }
