"""Topics of a real broker: made as the settings say or not at all; a start refuses those that cannot keep a promise."""

from __future__ import annotations

from pathlib import Path

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from fhir_profiles.errors import Misconfigured
from streaming.topics import BUNDLE, DEAD_LETTER, KafkaConnection, admin, check_topics, create_topics
from tests.support.installation import Installation, snds_gateway
from tests.support.serving import until

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]


def on_broker(kafka: KafkaConnection, folder: Path) -> Installation:
    """An installation whose settings name the broker and leave the copies as they are without a word: three."""
    installation = Installation(folder / "data")
    with (installation.data_dir / "gateway.toml").open("a") as settings:
        settings.write(f'broker = "kafka"\nkafka_bootstrap = "{kafka.bootstrap[0]}"\n')
    return installation


def test_topics_are_created_once_and_pass_the_check(kafka: KafkaConnection) -> None:
    again = create_topics(kafka, replication=1)

    check_topics(kafka)
    assert list(again) == []


def test_topics_are_created_with_the_copies_in_sync_that_are_asked_for(kafka: KafkaConnection) -> None:
    client = admin(kafka)
    client.delete_topics([DEAD_LETTER])
    until(lambda: DEAD_LETTER not in client.list_topics())

    made = create_topics(kafka, replication=1, min_isr=2)

    asked = ConfigResource(ConfigResourceType.TOPIC, DEAD_LETTER)
    settings = client.describe_configs([asked], config_filter="all")["topic"][DEAD_LETTER]
    client.close()
    assert list(made) == [DEAD_LETTER]
    assert settings["min.insync.replicas"]["value"] == "2"
    assert settings["message.timestamp.type"]["value"] == "LogAppendTime"


def test_fewer_brokers_than_copies_are_refused_and_no_topic_is_made(kafka: KafkaConnection, tmp_path: Path) -> None:
    installation = on_broker(kafka, tmp_path)
    client = admin(kafka)
    client.delete_topics([DEAD_LETTER])
    until(lambda: DEAD_LETTER not in client.list_topics())
    command = ("topics", "create", "--data-dir", str(installation.data_dir))

    refused = snds_gateway(*command, check=False)
    left = DEAD_LETTER in client.list_topics()
    with (installation.data_dir / "gateway.toml").open("a") as settings:
        settings.write("kafka_replication = 1\n")
    made = snds_gateway(*command)
    client.close()

    assert refused.returncode == 78
    assert [line for line in refused.stderr.splitlines() if "kafka_replication = 3" in line] != []
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not left
    assert DEAD_LETTER in made.stdout


def test_start_refuses_topics_with_fewer_copies_than_the_settings_ask_for(
    kafka: KafkaConnection, tmp_path: Path
) -> None:
    installation = on_broker(kafka, tmp_path)
    command = ("serve", "--data-dir", str(installation.data_dir), "--port", str(installation.port))

    refused = snds_gateway(*command, check=False)

    assert refused.returncode == 78
    assert f"topic-copies: {BUNDLE}: kafka_replication = 3, copies it has: 1" in refused.stderr


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("retention.ms", "3600000"),
        ("max.message.bytes", "1000000"),
        ("cleanup.policy", "compact"),
        ("message.timestamp.type", "CreateTime"),
    ],
)
def test_start_refuses_a_topic_that_cannot_keep_the_promises(kafka: KafkaConnection, setting: str, value: str) -> None:
    client = admin(kafka)
    client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, BUNDLE, {setting: value})])
    asked = ConfigResource(ConfigResourceType.TOPIC, BUNDLE)
    until(lambda: client.describe_configs([asked], config_filter="all")["topic"][BUNDLE][setting]["value"] == value)
    client.close()

    with pytest.raises(Misconfigured, match=f"{BUNDLE}: {setting}") as refused:
        check_topics(kafka)

    assert refused.value.code == "topic-settings"


def test_start_refuses_topics_that_do_not_exist_or_have_other_partitions(kafka: KafkaConnection) -> None:
    client = admin(kafka)
    client.delete_topics([DEAD_LETTER])
    until(lambda: DEAD_LETTER not in client.list_topics())
    with pytest.raises(Misconfigured) as missing:
        check_topics(kafka)
    client.create_partitions({BUNDLE: 13})
    until(lambda: len(client.describe_topics([BUNDLE])[0]["partitions"]) == 13)
    with pytest.raises(Misconfigured) as refused:
        check_topics(kafka)
    client.close()

    assert (missing.value.code, refused.value.code) == ("topic-missing", "topic-partitions")
