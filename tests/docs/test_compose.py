"""The compose file is well formed and names what it needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.server import ENDS_WITHIN_S

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


def test_the_compose_file_has_gateway_writer_kafka_and_postgresql(compose: dict[str, Any]) -> None:
    assert {"gateway", "writer", "kafka", "postgres"} <= set(compose["services"])


def test_services_name_only_volumes_secrets_and_services_that_exist(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (PROJECT / source).exists()


@pytest.mark.parametrize("name", ["gateway", "writer"])
def test_a_stop_leaves_the_time_that_a_clean_one_takes(compose: dict[str, Any], name: str) -> None:
    assert float(compose["services"][name]["stop_grace_period"].removesuffix("s")) > ENDS_WITHIN_S


def test_kafka_runs_in_kraft_mode_and_makes_no_topic_by_itself(compose: dict[str, Any]) -> None:
    environment = compose["services"]["kafka"]["environment"]

    assert environment["KAFKA_PROCESS_ROLES"] == "broker,controller"
    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_no_secret_stands_in_the_compose_file(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            assert "PASSWORD" not in name.upper() or name.endswith("_FILE"), name
            assert not re.search(r"://[^/@]*:[^/@]*@", str(value)), name
