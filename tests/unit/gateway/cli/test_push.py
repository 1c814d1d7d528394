"""`push` over real HTTP: busy answers are sent again, refusals are summed up, nothing of a payload is shown."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli.main import make_app
from gateway.cli.pushing import Pusher, Target
from tests.support.ports import free_port

BUNDLE = {"resourceType": "Bundle", "type": "batch", "entry": [{}, {}]}
OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [
        {
            "severity": "error",
            "code": "structure",
            "details": {"coding": [{"code": "unknown-element"}], "text": "Élément inconnu."},
            "expression": ["Bundle.entry[0].resource"],
        },
        {"severity": "warning", "code": "informational", "details": {"coding": [{"code": "ins-key"}]}},
    ],
}

Answer = tuple[int, dict[str, str], dict[str, Any]]


class Peer:
    """A small HTTP server with prepared answers; the last one is repeated."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.lock = threading.Lock()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        with self.lock:
            self.requests.append((method, path, headers, body))
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def listening(peer: Peer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, content = peer.answer(self.command, self.path, dict(self.headers), body)
            data = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_PUT = do_POST  # noqa: N815 — the name is the library's

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)  # once it is closed, nobody else's
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def entries(*statuses: str) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "batch-response",
        "entry": [
            {"response": {"status": status, **({} if status.startswith("2") else {"outcome": OUTCOME})}}
            for status in statuses
        ],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a bundle, a resource, two NDJSON lines, and a manifest that is none of them."""
    bundles = tmp_path / "bundles"
    bundles.mkdir()
    (bundles / "a.json").write_text(json.dumps(BUNDLE))
    (bundles / "b.json").write_text(json.dumps({"resourceType": "Patient", "id": "p1"}))
    (bundles / "c.ndjson").write_text(f"{json.dumps(BUNDLE)}\n\n{json.dumps({'resourceType': 'Basic'})}\n")
    (bundles / "manifest.json").write_text("{}")
    (tmp_path / "key").write_text("secret-key\n")
    return bundles


def test_a_gateway_on_this_machine_is_reached_whatever_proxy_the_machine_has(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with listening(Peer((200, {}, entries("202 Accepted", "202 Accepted")))) as url:
        summary = Pusher(Target(url, "k"), wait=lambda _: None).push([folder / "a.json"])

    assert (summary.accepted, summary.undelivered) == (2, 0)


def test_each_document_goes_where_the_interface_wants_it(folder: Path) -> None:
    peer = Peer((200, {}, entries("202 Accepted", "202 Accepted")))
    with listening(peer) as url:
        summary = Pusher(Target(f"{url}/fhir/", "secret-key", "en")).push([folder])

    assert sorted((method, path) for method, path, _, _ in peer.requests) == [
        ("POST", "/fhir"), ("POST", "/fhir"), ("POST", "/fhir/Basic"), ("PUT", "/fhir/Patient/p1"),
    ]  # fmt: skip
    assert {headers["Authorization"] for _, _, headers, _ in peer.requests} == {"Bearer secret-key"}
    assert {headers["Accept-Language"] for _, _, headers, _ in peer.requests} == {"en"}
    assert (summary.requests, summary.accepted, summary.all_well) == (4, 8, True)


def test_busy_answers_are_sent_again_after_the_time_asked_for(folder: Path) -> None:
    peer = Peer(
        (503, {"Retry-After": "7"}, OUTCOME),
        (429, {}, OUTCOME),
        (200, {}, entries("202 Accepted", "202 Accepted")),
    )
    waited: list[float] = []
    with listening(peer) as url:
        summary = Pusher(Target(url, "k"), wait=waited.append).push([folder / "a.json"])

    assert waited == [7.0, 1.0]
    assert (summary.accepted, summary.retries, summary.undelivered) == (2, 2, 0)


def test_a_gateway_that_never_answers_leaves_an_unknown_outcome(folder: Path) -> None:
    with listening(Peer((503, {}, OUTCOME))) as url:
        busy = Pusher(Target(url, "k"), wait=lambda _: None).push([folder / "a.json"])
    gone = Pusher(Target(url, "k"), wait=lambda _: None).push([folder / "a.json"])

    assert (busy.undelivered, busy.by_status, busy.all_well) == (1, {"503": 1}, False)
    assert (gone.undelivered, gone.by_status, gone.refused) == (1, {"no answer": 1}, 0)


def test_refusals_are_counted_by_entry_status_and_code(folder: Path) -> None:
    (folder / "c.ndjson").write_text(f"{json.dumps(BUNDLE)}\n" * 2)  # alike: whichever comes first is refused whole
    peer = Peer((422, {}, OUTCOME), (200, {}, entries("202 Accepted", "422 Unprocessable Entity")))
    with listening(peer) as url:
        pusher = Pusher(Target(url, "k"))
        summary = pusher.push([folder / "a.json", folder / "c.ndjson"])

    assert (summary.accepted, summary.refused) == (2, 2 + 2)
    assert summary.by_code["unknown-element"] == 3
    assert "ins-key" not in summary.by_code
    assert summary.to_json()["by_status"] == {"200": 2, "422": 1}


def test_the_command_shows_codes_and_places_and_never_a_payload(folder: Path) -> None:
    (folder / "a.json").write_text(json.dumps(BUNDLE | {"entry": [{"resource": {"family": "ZQCANARY"}}]}))
    with listening(Peer((422, {}, OUTCOME))) as url:
        arguments = ["push", str(folder / "a.json"), "--url", url, "--key-file", str(folder.parent / "key")]
        human = CliRunner().invoke(make_app(), arguments)
        machine = CliRunner().invoke(make_app(), [*arguments, "--format", "json"])

    assert human.exit_code == machine.exit_code == 1
    assert "unknown-element" in human.output
    assert "Bundle.entry[0].resource" in human.output
    assert "ZQCANARY" not in human.output + machine.output
    assert json.loads(machine.stdout)["by_code"] == {"unknown-element": 1}
