"""The integrator's guide works as it is printed: curl, Python, Java, and the offline commands before them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installation import Installation, snds_gateway

pytestmark = pytest.mark.slow
PROJECT = Path(__file__).resolve().parents[2]
GUIDE = (PROJECT / "docs" / "integration.md").read_text(encoding="utf-8")
EXAMPLE = PROJECT / "docs" / "examples" / "first-bundle.json"
ENTRIES = 7


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("guide")
    shutil.copy(EXAMPLE, folder)
    with Installation(folder / "data", "--test-identities").serving() as installation:
        yield installation


def block(language: str, containing: str, running: Installation) -> str:
    found = [one for one in re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL) if containing in one]
    assert len(found) == 1
    return found[0].replace("8080", str(running.port))


def run(running: Installation, *command: str) -> str:
    done = subprocess.run(
        command, cwd=running.data_dir.parent, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl: apt-get install curl")
def test_curl_gets_one_acceptance_an_entry(running: Installation) -> None:
    assert run(running, "bash", "-c", block("sh", "curl", running)).count("202 Accepted") == ENTRIES


def test_python_gets_a_receipt_that_is_the_same_when_sent_again(running: Installation) -> None:
    script = block("python", "urllib", running)

    first, second = (run(running, sys.executable, "-c", script).splitlines() for _ in range(2))

    assert first == second
    assert len(first[0]) == 22
    assert first[1:] == ["202 Accepted"] * ENTRIES


@pytest.mark.skipif(shutil.which("javac") is None, reason="no Java compiler: apt-get install openjdk-17-jdk-headless")
def test_java_gets_one_acceptance_an_entry(running: Installation) -> None:
    (running.data_dir.parent / "Send.java").write_text(block("java", "HttpClient", running))

    assert run(running, "java", "Send.java").count("202 Accepted") == ENTRIES


def test_the_example_passes_every_offline_command_and_becomes_a_stay(running: Installation) -> None:
    commands = [line.split("#")[0].split()[1:] for line in block("sh", "convert", running).splitlines()]
    folder = running.data_dir.parent

    for words in commands:
        snds_gateway(*(str(folder / word) if word == EXAMPLE.name else word for word in words))

    shown = snds_gateway("convert", str(folder / EXAMPLE.name), "--format", "json").stdout
    assert '"status":"written"' in shown


def test_every_status_that_the_guide_explains_is_one_that_the_gateway_gives() -> None:
    statuses = set(re.findall(r"\b([2-5]\d\d)\b", GUIDE.split("## 3.")[1].split("## 4.")[0]))

    assert statuses == {"200", "202", "400", "401", "403", "413", "415", "422", "429", "503"}
