"""Gateways and table writers over TLS with the rights that the operator's guide lists, and no other."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from streaming.postgres import PostgresConnection
from streaming.topics import DEAD_LETTER, TOPICS, KafkaConnection, admin
from tests.support import kafka_broker
from tests.support.installation import COMMAND, FINESS, Installation, snds_gateway
from tests.support.kafka_security import Authority, Identity, secured
from tests.support.posted import bundle, patient, put
from tests.support.servers import made_topics
from tests.support.serving import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
WITHIN_S = 300.0
GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "operation.md").read_text(encoding="utf-8")
ROW = re.compile(r"^ *\| `(snds\.\S+)` \| ([\w, ]+) \| ([\w, ]+) \|$", re.MULTILINE)
OPERATIONS = {
    "Read": ACLOperation.READ,
    "Write": ACLOperation.WRITE,
    "Describe": ACLOperation.DESCRIBE,
    "DescribeConfigs": ACLOperation.DESCRIBE_CONFIGS,
}


def right(name: str, topic: str, operation: ACLOperation) -> ACL:
    return ACL(f"User:{name}", "*", operation, ACLPermissionType.ALLOW, ResourcePattern(ResourceType.TOPIC, topic))


def rights(gateway: str, writer: str) -> list[ACL]:
    """Return what the table of the guide grants to gateways and to table writers, when these are their names."""
    rows = ROW.findall(GUIDE)
    assert {topic for topic, *_ in rows} == {topic.name for topic in TOPICS}
    return [
        right(name, topic, OPERATIONS[operation.strip()])
        for topic, *granted in rows
        for name, operations in zip((gateway, writer), granted, strict=True)
        for operation in operations.split(",")
    ]


class Guarded:
    """A broker with our topics that lets nobody do anything without a right, and certificates by name."""

    def __init__(self, broker: kafka_broker.KafkaBroker, authority: Authority) -> None:
        self.broker = broker
        self.authority = authority
        self.identities = {name: authority.issue(name) for name in ("gateway", "writer", "short", "admin")}
        own = self.identities["admin"]
        self.owner = KafkaConnection(
            (f"127.0.0.1:{broker.port}",),
            {
                "security_protocol": "SSL", "ssl_cafile": str(authority.file),
                "ssl_certfile": str(own.certificate), "ssl_keyfile": str(own.key),
            },
        )  # fmt: skip
        made_topics(self.owner)

    def settings(self, name: str) -> str:
        own: Identity = self.identities[name]
        return (
            f'broker = "kafka"\nkafka_bootstrap = "127.0.0.1:{self.broker.port}"\nkafka_replication = 1\n'
            f'kafka_security = "tls"\nkafka_ca_file = "{self.authority.file}"\n'
            f'kafka_cert_file = "{own.certificate}"\nkafka_key_file = "{own.key}"\n'
        )

    def grant(self, acls: list[ACL]) -> None:
        client = admin(self.owner)
        assert client.create_acls(acls)["failed"] == []
        client.close()

    def installed(self, folder: Path, name: str) -> Installation:
        """Make an installation that comes to the broker under this name."""
        made = Installation(folder, "--test-identities", "--french-profiles", "declared")
        with (made.data_dir / "gateway.toml").open("a") as settings:
            settings.write(self.settings(name))
        return made


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    if reason := kafka_broker.missing():
        pytest.skip(f"no real Kafka here: {reason}")
    folder = tmp_path_factory.mktemp("guarded")
    authority = Authority(folder / "authority")
    with kafka_broker.running_broker(folder / "broker", security=secured(authority)) as running:
        yield Guarded(running, authority)


@contextmanager
def writing(data_dir: Path) -> Iterator[Path]:
    """Run a table writer; end it by its id; it must end well."""
    log = data_dir.parent / "writer.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*COMMAND, "tables", "run", "--data-dir", str(data_dir)], stdout=output, stderr=output
        )
    try:
        yield log
        process.terminate()
        assert process.wait(timeout=180) == 0, log.read_text()[-3000:]
    finally:
        process.kill()
        process.wait()


def test_the_rights_of_the_guide_are_enough_and_a_gateway_reads_no_event(
    guarded: Guarded, postgres: PostgresConnection, tmp_path: Path
) -> None:
    gateway = guarded.installed(tmp_path / "gateway", "gateway")
    guarded.grant(rights("gateway", "writer"))
    writer = tmp_path / "writer"
    (writer / "keys").mkdir(parents=True, mode=0o700)
    (gateway.data_dir / "keys" / "tables.key").rename(writer / "keys" / "tables.key")
    (writer / "hospitals.toml").write_bytes((gateway.data_dir / "hospitals.toml").read_bytes())
    tables = f'sink = "postgresql"\npostgres_dsn = "{postgres.dsn}"\n'
    (writer / "gateway.toml").write_text(guarded.settings("writer") + tables)
    person = patient("p")
    sent = bundle("transaction", put(person, fullUrl="https://his.example/fhir/Patient/p"))

    with gateway.serving(), writing(writer) as log:
        until(lambda: gateway.post(sent).status_code == 200)  # the other worker may not be ready yet: 503, come again
        until(lambda: accounts(writer)["applied"] == 1)
        (tmp_path / "patient.json").write_text(json.dumps(person))
        words = ("--data-dir", str(gateway.data_dir), "--finess", FINESS, "--patient", str(tmp_path / "patient.json"))
        opposed = answered("rights", "oppose", *words)
        told = answered("events", "tail", "--data-dir", str(gateway.data_dir))
        seen = answered("events", "tail", "--data-dir", str(writer), "--format", "json")
        events = [json.loads(line) for line in seen.stdout.splitlines()]
        none = answered("events", "tail", "--data-dir", str(writer), "--from", str(len(events)))
        said = log.read_text()

    assert [one.returncode for one in (opposed, seen, none)] == [0, 0, 0], opposed.stderr + seen.stderr + none.stderr
    assert told.returncode != 0
    assert "broker-denied" in told.stderr
    assert "denied" not in said
    assert list(events[0]) == ["partition", "offset", "key", "headers", "value"]
    assert (events[0]["offset"], events[0]["value"]["resourceType"]) == (0, "Bundle")
    assert len({event["headers"]["ce_id"] for event in events}) == 1
    assert none.stdout == ""


def answered(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as an operator does: again while it says that the broker does not answer."""
    deadline = time.monotonic() + WITHIN_S
    while "broker-away" in (done := snds_gateway(*words, check=False)).stderr and time.monotonic() < deadline:
        pass
    return done


def accounts(folder: Path) -> dict[str, int]:
    done = snds_gateway("status", "--data-dir", str(folder), "--format", "json", check=False)
    found: dict[str, int] = json.loads(done.stdout) if done.returncode == 0 else {"applied": 0}
    return found


def test_a_start_without_the_right_to_look_at_a_topic_says_so(guarded: Guarded, tmp_path: Path) -> None:
    gateway = guarded.installed(tmp_path / "gateway", "short")
    granted, lacking = rights("short", "nobody"), right("short", DEAD_LETTER, ACLOperation.DESCRIBE_CONFIGS)
    guarded.grant([one for one in granted if one != lacking])

    words = ("--data-dir", str(gateway.data_dir), "--port", str(gateway.port))
    refused = snds_gateway("serve", *words, check=False)

    assert lacking in granted
    assert refused.returncode == 78
    assert f"topic-unreadable: {DEAD_LETTER}" in refused.stderr
