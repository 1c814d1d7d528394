"""Documents → POST, PUT: sent four at a time, sent again while the gateway is busy, summed up by status and code.

Never shows or keeps what it sent or what was answered, but codes, places and catalogue sentences.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson

from gateway.cli.inputs import Document, documents, files
from gateway.cli.push_journal import Journal

OWN_MACHINE = ("all://localhost", "all://127.0.0.1", "all://[::1]")
CONCURRENCY = 4
ATTEMPTS = 8
LONGEST_WAIT_S = 15.0
TIMEOUT_S = 60.0
BUSY = frozenset({429, 503})
REFUSALS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused entry or request: the file, the status, and the issues' codes, places and sentences."""

    file: str
    status: int
    issues: tuple[tuple[str, str, str], ...]


@dataclass(slots=True)
class Summary:
    """What became of everything that was sent. `undelivered` requests have an unknown outcome: send them again."""

    requests: int = 0
    bytes: int = 0
    accepted: int = 0
    refused: int = 0
    undelivered: int = 0
    retries: int = 0
    skipped: int = 0
    seconds: float = 0.0
    by_status: Counter[str] = field(default_factory=Counter)
    by_code: Counter[str] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def all_well(self) -> bool:
        """Say whether everything was accepted."""
        return not self.refused and not self.undelivered

    def to_json(self) -> dict[str, Any]:
        """Return the machine form of it."""
        names = ("requests", "bytes", "accepted", "refused", "undelivered", "retries", "skipped")
        return {name: getattr(self, name) for name in names} | {
            "seconds": round(self.seconds, 3),
            "by_status": dict(sorted(self.by_status.items())),
            "by_code": dict(sorted(self.by_code.items())),
            "refusals": [
                {"file": one.file, "status": one.status, "codes": [code for code, _, _ in one.issues]}
                for one in self.refusals
            ],
        }


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """Where to send, and with which credential."""

    url: str
    key: str
    language: str = "fr"

    @property
    def base(self) -> str:
        """Return the FHIR base, whether the url was given with `/fhir` or not."""
        url = self.url.rstrip("/")
        return url if url.endswith("/fhir") else f"{url}/fhir"


class Pusher:
    """Sends documents from several threads and sums up. `sent` hears of every request that ended."""

    def __init__(
        self,
        target: Target,
        *,
        sent: Callable[[], None] = lambda: None,
        journal: Journal | None = None,
        transport: httpx.BaseTransport | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._target = target
        self._sent = sent
        self._journal = journal
        self._wait = wait
        self._lock = threading.Lock()
        self._summary = Summary()
        self._client = httpx.Client(
            timeout=TIMEOUT_S,
            transport=transport,
            mounts=dict.fromkeys(OWN_MACHINE),  # no proxy leads here, and none is asked
            limits=httpx.Limits(max_connections=CONCURRENCY),
            headers={
                "Authorization": f"Bearer {target.key}",
                "Content-Type": "application/fhir+json",
                "Accept": "application/fhir+json",
                "Accept-Language": target.language,
            },
        )

    def push(self, paths: Sequence[Path]) -> Summary:
        """Send everything; returns when the last answer has come."""
        started = time.perf_counter()
        queue = iter_documents(paths)
        with self._client, ThreadPoolExecutor(CONCURRENCY) as threads:
            for done in [threads.submit(self._work, queue) for _ in range(CONCURRENCY)]:
                done.result()
        self._summary.seconds = time.perf_counter() - started
        return self._summary

    def _work(self, queue: Iterator[Document]) -> None:
        while True:
            with self._lock:
                document = next(queue, None)
            if document is None:
                return
            if self._journal is not None and self._journal.knows(document):
                with self._lock:
                    self._summary.skipped += 1
                self._sent()
                continue
            answer, retries = self._send(document)
            with self._lock:
                self._summary.retries += retries
                self._count(document, answer)
            self._sent()

    def _send(self, document: Document) -> tuple[httpx.Response | None, int]:
        """Return the answer, None when none came in all attempts, and how often it was sent again."""
        method, path = _request(document.content)
        answer: httpx.Response | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                self._wait(_pause(answer, attempt))
            try:
                answer = self._client.request(method, self._target.base + path, content=document.content)
            except httpx.TransportError:
                answer = None
                continue
            if answer.status_code not in BUSY:
                return answer, attempt
        return answer, ATTEMPTS - 1

    def _count(self, document: Document, answer: httpx.Response | None) -> None:
        total = self._summary
        total.requests += 1
        total.bytes += len(document.content)
        if answer is None or answer.status_code in BUSY:
            total.undelivered += 1
            total.by_status["no answer" if answer is None else str(answer.status_code)] += 1
            return
        total.by_status[str(answer.status_code)] += 1
        accepted, refusals = read_answer(document, answer)
        if self._journal is not None:
            self._journal.note(document, _outcome(answer, accepted, refusals))
        total.accepted += accepted
        total.refused += sum(count for count, _ in refusals)
        for _, refusal in refusals:
            total.by_code.update(code for code, _, _ in refusal.issues)
            if len(total.refusals) < REFUSALS_KEPT:
                total.refusals.append(refusal)


def iter_documents(paths: Sequence[Path]) -> Iterator[Document]:
    """Yield all documents of files and folders."""
    for path in files(paths):
        yield from documents(path)


def read_answer(document: Document, answer: httpx.Response) -> tuple[int, list[tuple[int, Refusal]]]:
    """Return the entries accepted, and the refusals each with the number of entries that it concerns."""
    body = _json(answer.content)
    if answer.is_success and body.get("resourceType") != "Bundle":
        return 1, []
    if answer.is_success:
        responses = [entry.get("response", {}) for entry in body.get("entry", [])]
        refused = [one for one in responses if not str(one.get("status", "")).startswith("2")]
        return len(responses) - len(refused), [
            (1, Refusal(document.label, int(str(one.get("status", "0"))[:3] or 0), _issues(one.get("outcome", {}))))
            for one in refused
        ]
    return 0, [(_entries(document.content), Refusal(document.label, answer.status_code, _issues(body)))]


def _outcome(answer: httpx.Response, accepted: int, refusals: list[tuple[int, Refusal]]) -> dict[str, Any]:
    """Return what a journal keeps of an answer."""
    codes = Counter(code for _, refusal in refusals for code, _, _ in refusal.issues)
    refused = sum(number for number, _ in refusals)
    return {"status": answer.status_code, "accepted": accepted, "refused": refused, "codes": sorted(codes)}


def _issues(outcome: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    found = []
    for one in outcome.get("issue", []):
        if one.get("severity") in ("error", "fatal"):
            details = one.get("details", {})
            code = (details.get("coding") or [{}])[0].get("code") or one.get("code", "?")
            found.append((code, (one.get("expression") or [""])[0], details.get("text", "")))
    return tuple(found)


def _request(content: bytes) -> tuple[str, str]:
    """Return method and path: bundles and unreadable bytes to the base, a resource with an id by PUT."""
    resource = _json(content)
    kind, name = resource.get("resourceType"), resource.get("id")
    if not isinstance(kind, str) or kind == "Bundle" or not kind.isalpha():
        return "POST", ""
    if isinstance(name, str) and name and all(char.isalnum() or char in "-." for char in name):
        return "PUT", f"/{kind}/{name}"
    return "POST", f"/{kind}"


def _entries(content: bytes) -> int:
    entries = _json(content).get("entry")
    return max(len(entries), 1) if isinstance(entries, list) else 1


def _json(content: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _pause(answer: httpx.Response | None, attempt: int) -> float:
    asked = answer.headers.get("Retry-After", "") if answer is not None else ""
    seconds = float(asked) if asked.isdigit() else 0.25 * 2**attempt
    return min(seconds, LONGEST_WAIT_S)
