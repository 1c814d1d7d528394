"""The 16 official FR Core examples: each can be posted alone and inside a bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.installation import Installation, snds_gateway

pytestmark = [pytest.mark.shared, pytest.mark.slow]


def examples(shared: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((shared / "fhir-fr" / "examples").glob("*.json"))]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("examples") / "data", "--test-identities")
    with installation.serving():
        yield installation


def test_the_official_examples_validate_without_an_error(shared: Path) -> None:
    files = sorted(str(path) for path in (shared / "fhir-fr" / "examples").glob("*.json"))

    lines = [json.loads(line) for line in snds_gateway("validate", "--format", "json", *files).stdout.splitlines()]

    assert len(lines) == 16
    assert [
        issue for line in lines for issue in line["outcome"]["issue"] if issue["severity"] in ("error", "fatal")
    ] == []


def test_each_example_can_be_posted_alone(shared: Path, gateway: Installation) -> None:
    answers = {
        example["id"]: gateway.post(example, f"/fhir/{example['resourceType']}").status_code
        for example in examples(shared)
    }

    assert set(answers.values()) == {202}, answers


@pytest.mark.parametrize("kind", ["transaction", "batch", "collection"])
def test_each_example_can_be_posted_inside_a_bundle(shared: Path, gateway: Installation, kind: str) -> None:
    for example in examples(shared):
        entry: dict[str, Any] = {"resource": example}
        if kind != "collection":
            entry["request"] = {"method": "PUT", "url": f"{example['resourceType']}/{example['id']}"}

        answer = gateway.post({"resourceType": "Bundle", "type": kind, "entry": [entry]})

        assert answer.status_code == 200, (example["id"], answer.text)
        assert answer.json()["entry"][0]["response"]["status"].startswith("202"), (example["id"], answer.text)
