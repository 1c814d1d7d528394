"""A journal lets an interrupted push go on where it stopped, with the outcome of each line."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from fhir_profiles.errors import Misconfigured
from gateway.cli.push_journal import Journal
from gateway.cli.pushing import Pusher, Summary, Target

OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "structure"}]}


class Gateway(httpx.BaseTransport):
    """Answers 202, 422 to a Patient, 503 to an Observation, and remembers what came."""

    def __init__(self) -> None:
        self.came: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        kind = json.loads(request.read())["resourceType"]
        self.came.append(kind)
        status = {"Patient": 422, "Observation": 503}.get(kind, 202)
        return httpx.Response(status, json=OUTCOME if status != 202 else {"resourceType": "OperationOutcome"})


@pytest.fixture
def history(tmp_path: Path) -> Path:
    lines = [{"resourceType": kind} for kind in ("Basic", "Patient", "Observation", "Basic")]
    file = tmp_path / "history.ndjson"
    file.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return file


def push(gateway: Gateway, file: Path) -> Summary:
    journal = Journal(file.with_suffix(".journal"))
    try:
        pusher = Pusher(Target("http://gateway", "k"), transport=gateway, journal=journal, wait=lambda _: None)
        return pusher.push([file])
    finally:
        journal.close()


def test_what_has_its_answer_is_not_sent_again(history: Path) -> None:
    first, second = Gateway(), Gateway()
    push(first, history)

    summary = push(second, history)

    assert set(first.came) == {"Basic", "Patient", "Observation"}
    assert set(second.came) == {"Observation"}
    assert (summary.skipped, summary.requests, summary.undelivered) == (3, 1, 1)


def test_the_journal_holds_the_outcome_of_each_line(history: Path) -> None:
    push(Gateway(), history)
    lines = [json.loads(line) for line in history.with_suffix(".journal").read_text().splitlines()]

    assert {(one["line"], one["status"], one["accepted"], one["refused"]) for one in lines} == {
        (1, 202, 1, 0), (2, 422, 0, 1), (4, 202, 1, 0),
    }  # fmt: skip
    assert next(one["codes"] for one in lines if one["line"] == 2) == ["structure"]


def test_a_line_that_changed_is_sent_again(history: Path) -> None:
    push(Gateway(), history)
    lines = history.read_text().splitlines()
    history.write_text("\n".join([json.dumps({"resourceType": "Basic", "id": "b"}), *lines[1:]]) + "\n")
    again = Gateway()

    summary = push(again, history)

    assert "Basic" in again.came
    assert summary.skipped == 2


def test_the_half_line_of_a_killed_push_is_passed_over(history: Path) -> None:
    push(Gateway(), history)
    journal = history.with_suffix(".journal")
    journal.write_bytes(journal.read_bytes()[:-5])

    assert push(Gateway(), history).skipped == 2


def test_another_file_is_not_taken_for_a_journal(history: Path) -> None:
    with pytest.raises(Misconfigured, match="line 1"):
        Journal(history)
