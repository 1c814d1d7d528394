"""Three real brokers, each with all three roles: leaders move when one is killed, two are enough to acknowledge."""

from __future__ import annotations

import functools
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from kafka.errors import KafkaError

from fhir_profiles.errors import Unavailable
from streaming.topics import BUNDLE, KafkaConnection, admin
from tests.support.installation import free_port
from tests.support.kafka_broker import KafkaBroker, Member, random_id

NODES = (1, 2, 3)
ANSWER_WITHIN_S = 240.0


class KafkaCluster:
    """Three brokers with their data in `folder`."""

    def __init__(self, folder: Path) -> None:
        cluster, controllers = random_id(), {node: free_port() for node in NODES}
        self.brokers = {
            node: KafkaBroker(folder / f"broker-{node}", member=Member(node, cluster, controllers)) for node in NODES
        }

    @property
    def bootstrap(self) -> str:
        return ",".join(broker.bootstrap for broker in self.brokers.values())

    @functools.cached_property
    def connection(self) -> KafkaConnection:
        return KafkaConnection(tuple(self.bootstrap.split(",")))

    def start(self) -> None:
        """Start all and return when all are started."""
        for broker in self.brokers.values():
            broker.launch()
        for broker in self.brokers.values():
            broker.await_started()
        self._await_all_known()

    def stop(self) -> None:
        """End all, whatever state they are in."""
        for broker in self.brokers.values():
            broker.stop()

    def leader(self) -> int:
        """Return the broker that leads most partitions of the events."""
        [(node, _)] = Counter(one["leader_id"] for one in self._partitions()).most_common(1)
        return int(node)

    def in_sync(self) -> int:
        """Return how many replicas the partition with the fewest in-sync replicas has."""
        return min(len(one["isr_nodes"]) for one in self._partitions())

    def _await_all_known(self) -> None:
        """Return once whoever is asked knows of all three: one that started may not have told the others yet."""
        deadline = time.monotonic() + ANSWER_WITHIN_S
        while True:
            with suppress(KafkaError, Unavailable):
                client = admin(self.connection)
                try:
                    if len(client.describe_cluster()["brokers"]) == len(self.brokers):
                        return
                finally:
                    client.close()
            assert time.monotonic() < deadline, "the brokers do not find each other"
            time.sleep(0.1)

    def _partitions(self) -> list[dict[str, Any]]:
        """Ask any broker that lives: a client may try a dead one first."""
        deadline = time.monotonic() + ANSWER_WITHIN_S
        while True:
            try:
                client = admin(self.connection)
                try:
                    found: list[dict[str, Any]] = client.describe_topics([BUNDLE])[0]["partitions"]
                finally:
                    client.close()
            except (KafkaError, Unavailable):
                if time.monotonic() > deadline:
                    raise
            else:
                return found
