"""What is deployed names what exists: metrics, runbooks, commands, settings; services run without privileges."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from gateway.agreed import Agreed
from gateway.cli.diagnosis import read_configuration
from gateway.cli.main import make_app
from gateway.metric_names import METRICS, PREFIX
from gateway.server import ENDS_WITHIN_S
from scripts.build_command_docs import leaves
from scripts.build_dashboard import TARGET, document
from transformers.deidentify.keys import load_table_keys

PROJECT = Path(__file__).resolve().parents[2]
DEPLOY = PROJECT / "deploy"
COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))
ALERTS = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
METRIC = re.compile(rf"{PREFIX}(\w+?)(?:_bucket|_count|_sum)?(?=[\s\[{{)]|$)")
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def metrics_of(query: str) -> set[str]:
    return set(METRIC.findall(query))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_asks_for_metrics_that_exist_and_has_its_runbook(alert: dict[str, Any]) -> None:
    headings = re.findall(r"^## (\w+)$", (PROJECT / "docs" / "runbooks.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert metrics_of(alert["expr"]) <= set(METRICS)
    assert metrics_of(alert["expr"]) or alert["expr"].startswith("up{")
    assert alert["alert"] in headings
    assert alert["annotations"]["runbook"] == f"docs/runbooks.md#{alert['alert'].lower()}"


def test_every_runbook_belongs_to_an_alert() -> None:
    headings = re.findall(r"^## (\w+)$", (PROJECT / "docs" / "runbooks.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(headings) == sorted(alert["alert"] for alert in ALERTS)


def test_the_dashboard_is_what_its_script_makes_and_shows_metrics_that_exist() -> None:
    queries = [target["expr"] for panel in json.loads(document())["panels"] for target in panel["targets"]]

    assert TARGET.read_text(encoding="utf-8") == document()
    assert all(metrics_of(query) for query in queries)
    assert set().union(*map(metrics_of, queries)) <= set(METRICS)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_service_has_no_privilege_no_core_and_is_not_restarted_on_a_wrong_configuration(path: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(path, encoding="utf-8")
    service = unit["Service"]

    assert service["User"] not in ("", "root")
    assert service["CapabilityBoundingSet"] == ""
    assert (service["NoNewPrivileges"], service["ProtectSystem"], service["LimitCORE"]) == ("yes", "strict", "0")
    assert service["RestartPreventExitStatus"] == "78"
    assert float(service["TimeoutStopSec"]) > ENDS_WITHIN_S
    assert command_exists(shlex.split(service["ExecStart"])[1:])


@pytest.fixture(scope="module")
def judge_of_units(tmp_path_factory: pytest.TempPathFactory) -> None:
    """`systemd-analyze` that has nothing to say of a unit in which nothing is wrong: some need a running systemd."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze")
    unit = tmp_path_factory.mktemp("unit") / "right.service"
    unit.write_text("[Unit]\nDescription=right\n[Service]\nExecStart=/bin/sh -c true\n")
    if any(one.returncode or one.stderr for one in verdicts(unit, threshold=100)):
        pytest.skip("systemd-analyze does not work here, or is older than 250")


@pytest.mark.usefixtures("judge_of_units")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_finds_nothing_wrong_in_a_unit(path: Path, tmp_path: Path) -> None:
    """But for its programs, which stand elsewhere here; and little is left for it to reach (2.0 of 10 at most)."""
    command = Path(sys.executable).parent / "snds-gateway"
    unit = tmp_path / path.name
    unit.write_text(path.read_text(encoding="utf-8").replace("/opt/snds-gateway/bin/snds-gateway", str(command)))

    verified, secured = verdicts(unit, threshold=20)

    assert (verified.returncode, verified.stderr) == (0, "")
    assert secured.returncode == 0, secured.stdout[-300:]


def verdicts(unit: Path, *, threshold: int) -> tuple[subprocess.CompletedProcess[str], ...]:
    """Is it well formed, and is its exposure (0 to 100) under the threshold."""
    asked = (
        ("verify", "--man=no", "--recursive-errors=no", str(unit)),
        ("security", "--offline=true", f"--threshold={threshold}", str(unit)),
    )
    return tuple(
        subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=600, check=False)
        for words in asked
    )


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool")
def test_prometheus_reads_its_settings_and_the_alerts(tmp_path: Path) -> None:
    """`promtool` comes with Debian's package `prometheus`."""
    folder = DEPLOY / "prometheus"
    text = (folder / "prometheus.yml").read_text(encoding="utf-8")
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/prometheus", str(folder)))

    done = subprocess.run(
        ["promtool", "check", "config", str(tmp_path / "prometheus.yml")],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


@pytest.mark.parametrize("name", ["setup", "gateway", "writer", "workbench", "prometheus"])
def test_a_container_has_a_read_only_root_and_no_capability(name: str) -> None:
    service = COMPOSE["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", ["gateway", "writer", "workbench"])
def test_a_container_runs_a_command_that_exists(name: str) -> None:
    assert command_exists(COMPOSE["services"][name]["command"])


def test_files_that_are_mounted_exist() -> None:
    mounted = [volume.split(":")[0] for one in COMPOSE["services"].values() for volume in one.get("volumes", ())]

    assert all((PROJECT / one).exists() for one in mounted if one.startswith("./"))
    assert all((PROJECT / one).exists() for one in ("deploy/setup.sh", "deploy/grafana/dashboards/gateway.json"))


def test_the_image_runs_as_nobody_special() -> None:
    lines = (PROJECT / "Dockerfile").read_text(encoding="utf-8").splitlines()

    assert lines.count("FROM python:3.11-slim-bookworm") == 1
    assert "USER gateway" in lines
    assert any("--require-hashes" in line for line in lines)


def test_nothing_secret_and_no_data_is_sent_to_whoever_builds_the_image() -> None:
    left_out = (PROJECT / ".dockerignore").read_text(encoding="utf-8").split()

    assert {"deploy/secrets", "data", "demo-data", ".git"} <= set(left_out)
    assert not {"requirements.lock", "pyproject.toml", "README.md", "LICENSE", "gateway", "deploy"} & set(left_out)


def test_the_setup_of_the_compose_file_parts_the_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway, writer = tmp_path / "gateway", tmp_path / "writer"
    own = {"GATEWAY_DATA_DIR": str(gateway), "WRITER_DATA_DIR": str(writer)}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["sh", str(DEPLOY / "setup.sh"), "--finess", "750712184", "--name", "CHU Fictif"],
        env=os.environ | own | {"PATH": path}, capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    for name, value in COMPOSE["services"]["gateway"]["environment"].items():
        monkeypatch.setenv(name, str(value))

    settings, _ = read_configuration(gateway)

    assert (settings.broker, settings.sink) == ("kafka", "postgresql")
    assert not (gateway / "keys" / "tables.key").exists()
    assert sorted(path.name for path in (writer / "keys").iterdir()) == ["tables.key"]
    assert load_table_keys(writer / "keys")
    assert Agreed(writer)("750712184") is not None


def command_exists(words: list[str]) -> bool:
    """Say whether a command line names a command and options of it."""
    for path, command in leaves(typer.main.get_command(make_app()), ""):
        name = path.split()
        if words[: len(name)] == name:
            options = {word for word in words[len(name) :] if word.startswith("--")}
            return options <= {option for parameter in command.params for option in parameter.opts}
    return False
