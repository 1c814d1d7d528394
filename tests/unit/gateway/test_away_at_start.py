"""A broker, a name server or a database that is away at the start is no crash loop: we live, say so, and end well."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.installation import COMMAND, Installation, free_port
from tests.support.posted import bundle, patient, put
from tests.support.serving import until

pytestmark = pytest.mark.slow


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "data", "--test-identities", "--french-profiles", "declared")


@contextmanager
def running(installation: Installation, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    with installation.log.open("ab") as log:
        process = subprocess.Popen(
            [*COMMAND, *words, "--data-dir", str(installation.data_dir)],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def set_up(installation: Installation, settings: str) -> None:
    with (installation.data_dir / "gateway.toml").open("a") as file:
        file.write(settings)


@pytest.mark.parametrize("place", ["broker.invalid:9093", "127.0.0.1:{port}"], ids=["no such name", "nobody listens"])
def test_a_gateway_without_its_broker_lives_is_not_ready_and_answers_retry(
    installation: Installation, place: str
) -> None:
    where = place.format(port=free_port())
    set_up(installation, f'\nbroker = "kafka"\nkafka_bootstrap = ["{where}"]\nkafka_security = "tls"\n')
    with running(installation, "serve", "--port", str(installation.port)) as process:

        def lives() -> bool:
            assert process.poll() is None, installation.log.read_text()[-3000:]
            try:
                return httpx.get(f"{installation.url}/health/live", timeout=30).status_code == 200
            except httpx.TransportError:
                return False

        until(lives)
        ready = httpx.get(f"{installation.url}/health/ready", timeout=30)
        sent = bundle("transaction", put(patient("away"), fullUrl="https://his.example/fhir/Patient/away"))
        answer = installation.post(sent)
        acts = [installation.post(patient("away"), path=f"/rights/{one}") for one in ("oppositions", "erasures")]

        assert (ready.status_code, ready.json()["missing"]) == (503, ["log"])
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        # at once: the register, which would wait for the broker, is not asked
        assert [(one.status_code, one.json()["issue"][0]["details"]["coding"][0]["code"]) for one in acts] == [
            (503, "not-ready"), (503, "not-ready"),
        ]  # fmt: skip
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=300) == 0
    assert '"child-ended"' not in installation.log.read_text()


def test_a_table_writer_without_its_database_waits_and_ends_well(installation: Installation) -> None:
    set_up(installation, f'\nsink = "postgresql"\npostgres_dsn = "postgresql://snds@127.0.0.1:{free_port()}/snds"\n')
    with running(installation, "tables", "run") as process:
        until(lambda: installation.log.read_text().count("store-or-broker-away") >= 2)

        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=300) == 0
