"""TLS, client certificates, SCRAM and rights on a real broker: gateways may write and never read."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from fhir_profiles.errors import Unavailable
from streaming.broker import Counts
from streaming.event import Event
from streaming.kafka_consumer import KafkaLog
from streaming.kafka_publisher import KafkaPublisher
from streaming.topics import BUNDLE, COUNTS, KafkaConnection, admin
from tests.support import kafka_broker
from tests.support.kafka_broker import KafkaBroker
from tests.support.kafka_security import Authority, Identity, secured
from tests.support.servers import made_topics

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
PASSWORD = secrets.token_hex(12)
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "files")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[KafkaBroker]:
    if reason := kafka_broker.missing():
        pytest.skip(f"no real Kafka here: {reason}")
    folder = tmp_path_factory.mktemp("secured") / "broker"
    scram = f"SCRAM-SHA-512=[name=gateway-sasl,password={PASSWORD}]"
    with kafka_broker.running_broker(folder, security=secured(authority), scram=scram) as running:
        owner = by_certificate(running, authority, authority.issue("admin"))
        made_topics(owner)
        client = admin(owner)
        for name in ("gateway", "gateway-sasl"):
            client.create_acls(
                [
                    ACL(
                        f"User:{name}",
                        "*",
                        operation,
                        ACLPermissionType.ALLOW,
                        ResourcePattern(ResourceType.TOPIC, topic),
                    )
                    for topic in (BUNDLE, COUNTS)
                    for operation in (ACLOperation.WRITE, ACLOperation.DESCRIBE)
                ]
            )
        client.close()
        yield running


def by_certificate(broker: KafkaBroker, authority: Authority, identity: Identity, **changes: Any) -> KafkaConnection:
    security = {
        "security_protocol": "SSL", "ssl_cafile": str(authority.file),
        "ssl_certfile": str(identity.certificate), "ssl_keyfile": str(identity.key),
    }  # fmt: skip
    return KafkaConnection((f"127.0.0.1:{broker.port}",), security | changes)


def by_password(broker: KafkaBroker, authority: Authority, password: str) -> KafkaConnection:
    security = {
        "security_protocol": "SASL_SSL", "ssl_cafile": str(authority.file), "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "gateway-sasl", "sasl_plain_password": password,
    }  # fmt: skip
    return KafkaConnection((f"127.0.0.1:{broker.sasl_port}",), security)


async def published(connection: KafkaConnection, *, within_s: float) -> bool:
    """Say whether an event gets through in this time (a right takes a moment to be known)."""
    publisher = KafkaPublisher(connection)
    event = Event("e", "person|a", {"ce_id": "e"}, b"{}")
    try:
        async with asyncio.timeout(within_s):
            while True:
                try:
                    await publisher.publish([event], Counts("750712184", received=1, published=1))
                except Unavailable:
                    await asyncio.sleep(0.05)
                else:
                    return True
    except TimeoutError:
        return False
    finally:
        await publisher.close()


async def test_a_gateway_with_its_certificate_writes_and_may_not_read(
    broker: KafkaBroker, authority: Authority
) -> None:
    gateway = by_certificate(broker, authority, authority.issue("gateway"))

    assert await published(gateway, within_s=PATIENCE_S)

    log = KafkaLog(gateway, answer_s=PATIENCE_S)

    def read_on() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            log.read(0, -1, 10)

    with pytest.raises(Unavailable, match="broker-denied"):
        await asyncio.to_thread(read_on)
    log.close()


async def test_a_gateway_with_its_password_writes(broker: KafkaBroker, authority: Authority) -> None:
    assert await published(by_password(broker, authority, PASSWORD), within_s=PATIENCE_S)


@pytest.mark.parametrize("wrong", ["password", "authority", "no-certificate", "plaintext", "no-right"])
async def test_whoever_is_not_known_or_has_no_right_is_never_ready_to_publish(
    wrong: str, broker: KafkaBroker, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger")
    connection = {
        "password": by_password(broker, authority, "not the password"),
        "authority": by_certificate(broker, stranger, authority.issue("gateway-2")),
        "no-certificate": KafkaConnection(
            (broker.bootstrap,), {"security_protocol": "SSL", "ssl_cafile": str(authority.file)}
        ),
        "plaintext": KafkaConnection((broker.bootstrap,)),
        "no-right": by_certificate(broker, authority, authority.issue("nobody")),
    }[wrong]

    assert not await published(connection, within_s=8)


def test_a_connection_shows_no_secret(broker: KafkaBroker, authority: Authority) -> None:
    assert PASSWORD not in repr(by_password(broker, authority, PASSWORD))
