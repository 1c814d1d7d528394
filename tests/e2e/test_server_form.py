"""What the compose file runs, natively: same commands, same settings, on a real Kafka and a real PostgreSQL.

No container engine is at hand where these tests run: the image itself is not built here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gateway.synthetic.scene import Hospital, unit_table
from gateway.synthetic.writing import write_stays
from streaming.aggregates import stepped
from streaming.postgres import PostgresConnection
from streaming.topics import KafkaConnection
from tests.support.installation import COMMAND, FINESS, free_port
from tests.support.kafka_broker import KafkaBroker
from tests.support.postgres_server import PostgresServer, programs, running_postgres
from tests.support.servers import without_topics
from tests.support.stored_rows import rows

pytestmark = pytest.mark.slow
PROJECT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
WITHIN_S = 240


@dataclass(frozen=True)
class Deployment:
    """The two folders of the compose file, and the environment of its services with the addresses of real servers."""

    gateway: Path
    writer: Path
    port: int
    bootstrap: str
    dsn: str
    secret: Path
    metrics_port: int

    def environment(self, service: str) -> dict[str, str]:
        folder = self.gateway if service == "gateway" else self.writer
        replaced = {
            "GATEWAY_HOST": "127.0.0.1",
            "GATEWAY_WRITER_METRICS_PORT": str(self.metrics_port),
            "GATEWAY_DATA_DIR": str(folder),
            "GATEWAY_KAFKA_BOOTSTRAP": self.bootstrap,
            "GATEWAY_POSTGRES_DSN": self.dsn,
            "GATEWAY_POSTGRES_PASSWORD_FILE": str(self.secret),
        }
        given: dict[str, str] = COMPOSE[service]["environment"]
        own = {name: replaced.get(name, str(value)) for name, value in given.items()}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        return inherited | own | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def run(self, service: str, *words: str) -> str:
        done = subprocess.run(
            [*COMMAND, *words], env=self.environment(service), capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode in (0, 1), done.stderr
        return done.stdout

    @contextmanager
    def up(self, service: str) -> Iterator[Path]:
        """Run the command of a service; end it by its id; it must end well."""
        words = [str(self.port) if word == "8080" else word for word in COMPOSE[service]["command"]]
        words = ["127.0.0.1" if word == "0.0.0.0" else word for word in words]
        log = self.secret.parent / f"{service}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*COMMAND, *words], env=self.environment(service), stdout=output, stderr=output, start_new_session=True
            )
        try:
            yield log
            assert process.poll() is None, log.read_text()[-3000:]
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=180)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        assert process.returncode == 0, log.read_text()[-3000:]

    def healthy(self) -> None:
        """Run the health check of the compose file until it passes."""
        program, *words = COMPOSE["gateway"]["healthcheck"]["test"][1:]
        assert program == "python"
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            command = [sys.executable, *(word.replace("8080", str(self.port)) for word in words)]
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                return
        raise AssertionError("the health check did not pass")


@pytest.fixture
def deployment(tmp_path: Path, broker: KafkaBroker, postgres: PostgresConnection) -> Deployment:
    without_topics(KafkaConnection((broker.bootstrap,)))
    secret = tmp_path / "password"
    secret.write_text("of-no-use-here\n")
    secret.chmod(0o400)
    made = Deployment(
        tmp_path / "gateway", tmp_path / "writer", free_port(), broker.bootstrap, postgres.dsn, secret, free_port()
    )
    subprocess.run(
        ["sh", str(PROJECT / "deploy" / "setup.sh"), "--finess", FINESS, "--name", "CHU Fictif", "--test-identities"],
        env=made.environment("gateway") | {"WRITER_DATA_DIR": str(made.writer)},
        capture_output=True,
        timeout=300,
        check=True,
    )
    units = tmp_path / "units.csv"
    units.write_text(unit_table(Hospital(FINESS)), encoding="utf-8")
    for service in ("gateway", "writer"):
        made.run(service, "hospital", "units", "--finess", FINESS, str(units))
    return made


def test_posted_bundles_become_rows_in_postgresql_through_kafka(
    deployment: Deployment,
    postgres: PostgresConnection,
    tmp_path: Path,
) -> None:
    manifest = write_stays(tmp_path / "bundles", seed=7, stays=20, hospital=Hospital(FINESS), wrote=lambda _: None)
    expected = manifest["expected"]["stays"]["written"]
    key = deployment.gateway / "credentials" / f"{FINESS}.key"
    url = f"http://127.0.0.1:{deployment.port}"

    deployment.run("gateway", "topics", "create")
    with deployment.up("gateway"), deployment.up("writer") as log:
        deployment.healthy()
        told = deployment.run(
            "gateway", "push", str(tmp_path / "bundles"), "--url", url, "--key-file", str(key), "--format", "json"
        )
        accounts = json.loads(deployment.run("writer", "status", "--wait-idle", str(WITHIN_S), "--format", "json"))
        found = stays_in(postgres, expected, log)

        told_of = scraped(deployment.metrics_port)
        gateways = httpx.get(f"{url}/metrics", timeout=180).text

        entries = {
            name: told_of[f'accounted_entries{{outcome="{name}"}}'] for name in ("received", "refused", "accepted")
        }
        assert (entries["received"], entries["refused"]) == (accounts["received"], accounts["refused"])
        assert entries["accepted"] == accounts["published"] + accounts["suppressed"]
        assert told_of["log_events"] == told_of["applied_events"] + told_of["duplicate_events"] == accounts["events"]
        assert told_of["lag_events"] == told_of["writer_stopped"] == 0
        assert told_of['stays{status="written"}'] == stepped(expected)
        assert "lag_events" not in gateways  # a zero would be a lie: it may read neither log nor tables
        assert sum(of_entries(gateways).values()) == accounts["received"]
        summary = json.loads(told)
        assert accounts["received"] == accounts["published"] + accounts["refused"] == manifest["expected"]["received"]
        assert accounts["events"] == accounts["applied"] + accounts["duplicates"] > 0
        assert accounts["stays"]["written"] == expected
        assert summary["refused"] == manifest["expected"]["refused"]
        assert summary["undelivered"] == 0
        assert found == expected
        again = deployment.run(
            "gateway", "push", str(tmp_path / "bundles"), "--url", url, "--key-file", str(key), "--format", "json"
        )
        assert json.loads(again)["accepted"] == summary["accepted"]
        deployment.healthy()
    rebuilt = deployment.run("writer", "tables", "rebuild")
    assert "every row is as it was" in rebuilt
    assert stays_in(postgres, expected, log) == expected


def test_a_restored_database_goes_on_from_its_own_offsets_without_loss_or_doubles(
    deployment: Deployment, server: PostgresServer, postgres: PostgresConnection, tmp_path: Path
) -> None:
    manifest = write_stays(tmp_path / "bundles", seed=9, stays=12, hospital=Hospital(FINESS), wrote=lambda _: None)
    bundles = [str(path) for path in sorted((tmp_path / "bundles").glob("0*.json"))]
    dump, roles, keys = tmp_path / "snds.dump", tmp_path / "roles.sql", tmp_path / "keys"
    deployment.run("gateway", "topics", "create")
    with deployment.up("gateway"):
        deployment.healthy()
        with deployment.up("writer"):
            push(deployment, *bundles[:7])
            idle(deployment)
            database_tool("pg_dumpall", server.connection, f"--file={roles}")
            database_tool("pg_dump", postgres, f"--file={dump}")  # while it runs: any consistent copy is a right one
            shutil.copytree(deployment.writer / "keys", keys)
            push(deployment, *bundles)
            oppose_first_patient(deployment, bundles[0], tmp_path / "patient.json")
            idle(deployment)
        expected = rows(postgres)

        shutil.rmtree(deployment.writer / "keys")
        shutil.copytree(keys, deployment.writer / "keys")
        with running_postgres() as elsewhere:
            fresh = elsewhere.create("snds")
            database_tool("psql", elsewhere.connection, f"--file={roles}")
            database_tool("pg_restore", fresh, str(dump))
            before = rows(fresh)
            restored = replace(deployment, dsn=fresh.dsn)
            with restored.up("writer"):
                idle(restored)
                after = rows(fresh)
                push(restored, *bundles)
                accounts = idle(restored)
            again = rows(fresh)
            rebuilt = restored.run("writer", "tables", "rebuild")

    assert accounts["dead_letters"] == 0
    assert before != expected
    assert after == expected
    assert again == expected
    assert "every row is as it was" in rebuilt
    assert sum(map(len, expected.values())) > manifest["expected"]["stays"]["written"]


def scraped(port: int) -> dict[str, float]:
    """Return what a table writer tells Prometheus, by metric and labels."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=180).text
    return {
        name.removeprefix("snds_gateway_"): float(value)
        for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    }


def of_entries(text: str) -> dict[str, float]:
    """Return the entries that the gateway's own counters tell, by what became of them."""
    return {
        outcome: float(value)
        for outcome, value in re.findall(r'^snds_gateway_entries_total\{outcome="(\w+)"\} (\S+)$', text, re.MULTILINE)
    }


def push(deployment: Deployment, *bundles: str) -> None:
    key = deployment.gateway / "credentials" / f"{FINESS}.key"
    deployment.run("gateway", "push", *bundles, "--url", f"http://127.0.0.1:{deployment.port}", "--key-file", str(key))


def idle(deployment: Deployment) -> dict[str, Any]:
    told = deployment.run("writer", "status", "--wait-idle", str(WITHIN_S), "--format", "json")
    accounts: dict[str, Any] = json.loads(told)
    assert accounts["lag"] == 0
    return accounts


def oppose_first_patient(deployment: Deployment, bundle: str, file: Path) -> None:
    """Somebody objects after the backup: what is restored must not bring the person back."""
    entries = json.loads(Path(bundle).read_text(encoding="utf-8"))["entry"]
    person = next(one["resource"] for one in entries if one["resource"]["resourceType"] == "Patient")
    file.write_text(json.dumps(person), encoding="utf-8")
    assert deployment.run("gateway", "rights", "oppose", "--finess", FINESS, "--patient", str(file))


def database_tool(program: str, database: PostgresConnection, *words: str) -> None:
    """Run a program of PostgreSQL with the options that the operator's guide shows, but for places and names."""
    guide = (PROJECT / "docs" / "operation.md").read_text(encoding="utf-8")
    [line] = [one.split() for one in guide.splitlines() if one.startswith(f"{program} ")]
    places = ("--file=", "--host=", "--username=", "--dbname=")
    options = [word for word in line if word.startswith("--") and not word.startswith(places)]
    folder = programs()
    assert folder is not None
    subprocess.run(
        [str(folder / program), *options, "--dbname", database.dsn, *words],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip


def test_neither_folder_holds_the_keys_of_both_levels(deployment: Deployment) -> None:
    gateway, writer = (
        {path.name for path in (folder / "keys").iterdir()} for folder in (deployment.gateway, deployment.writer)
    )

    assert gateway == {"platform.key", "ledger.key", f"hospital-{FINESS}.key"}
    assert writer == {"tables.key"}


def stays_in(postgres: PostgresConnection, expected: int, log: Path) -> int:
    """Count the stays in all years once there are enough of them, or when the time is over."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        with postgres.open() as session:
            names = [
                name
                for (name,) in session.execute(
                    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'snds'"
                ).fetchall()
                if re.fullmatch(r"t_mco\d\db", name)
            ]
            counts = [session.execute(f'SELECT count(*) FROM snds."{name}"').fetchone() for name in names]
        total = sum(row[0] for row in counts if row)
        if total >= expected or time.monotonic() > deadline:
            assert total >= expected, log.read_text()[-3000:]
            return total
        time.sleep(0.2)
