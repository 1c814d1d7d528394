# ruff: noqa: E501 — lines of a page
"""Routes, table of statuses, catalogue, metrics → docs/status-codes.md, docs/metrics.md: what HTTP can answer.

Run it after a change of routes, outcomes or messages: `python -m scripts.build_http_docs`. A test compares. Which
status a code gives is read from the source: the failure that it is raised with.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

from fhir_profiles import errors
from fhir_profiles.issues import Issue, Message, catalogue
from gateway.metric_names import LABELS, METRICS, PREFIX
from gateway.openapi import statuses_of
from gateway.outcomes import ENTRY_STATUS, status_of
from gateway.routes import ROUTES

PROJECT = Path(__file__).resolve().parents[1]
STATUS_PAGE = PROJECT / "docs" / "status-codes.md"
METRICS_PAGE = PROJECT / "docs" / "metrics.md"
SOURCES = ("fhir_profiles", "gateway", "streaming")
MAKERS = ("issue", "_at")
PLACED_LATER = {"json-duplicate-key": errors.Malformed}  # its place is looked for before it is raised

HEAD = """# Status codes

Made by `python -m scripts.build_http_docs` from the routes, the table of statuses (`gateway/outcomes.py`) and the catalogue
of messages; a test compares. Every refusal is a FHIR `OperationOutcome` (French, or English when `Accept-Language` prefers it)
whose `issue.details.coding` holds one of the codes below; nothing that was sent stands in it. The two exceptions are
`/auth/token`, which answers in OAuth's own form, and `/health/…`, which answers in plain JSON. `/rights/…` answers what was asked for
in plain JSON, and refuses with an `OperationOutcome`.

## HTTP statuses

| status | meaning | send it again? |
|---|---|---|
"""
METRICS_HEAD = """# Metrics

Made by `python -m scripts.build_http_docs` from `gateway/metrics.py`; a test compares. `GET /metrics` answers in the Prometheus text
format, the counters of all workers added up. It needs no credential and names no hospital and no person: labels are routes,
statuses, issue codes and rules, all of them closed lists of ours. Exemplars are off. What is counted by code, by rule or by status of
stays tells of patients' data: it moves in steps of 11 (`streaming.aggregates`), so that neither a reading nor the difference of two
tells 1 to 10. A code or rule is there from 11 on; stays of a status are 0 until then. Counts of requests, entries and events are exact, and
the alerts ask those. An entry of somebody who objected counts as accepted, as its sender is told; `status` tells the operator of both.
One refusal is in the log and in the audit, with its code, as soon as it happens. The accounts (`accounted_entries` to `writer_stopped`)
are read from the installation when Prometheus asks: by the gateway in the embedded form; in the server form, where gateways may read neither
log nor tables, by a table writer with `writer_metrics_port`.

| metric | labels | meaning |
|---|---|---|
"""
MEANINGS: dict[int, tuple[str, str]] = {
    200: ("A Bundle was taken in and every event is durable, or a dry run, a probe or a description is answered", "harmless: same receipt, no new row"),
    201: ("An act on a person's rights is kept; `Location` names its receipt", "harmless: the act in force is named again"),
    202: ("One resource was taken in and its event is durable", "harmless: same receipt, no new row"),
    204: ("`OPTIONS`: the header `Allow` names the methods", "–"),
    400: ("The request cannot be read: not HTTP, not JSON, not UTF-8, a duplicate key", "no: correct it first"),
    401: ("No valid credential. Nothing of the body was read", "with another credential"),
    403: ("The credential lacks the scope, or the bundle describes another hospital's activity", "no"),
    404: ("No such address or resource type", "no"),
    405: ("The address does not take this method; `Allow` names those it takes", "no"),
    408: ("The body did not arrive in time; the connection is closed", "yes, nothing was kept"),
    413: ("A limit is exceeded: bytes (also after decompression), entries, depth, string", "split it first"),
    415: ("Media type, charset, content encoding or FHIR version that the gateway does not read", "no: correct it first"),
    422: ("FHIR or profile rules are broken, or de-identification refuses it. Nothing of an all-or-nothing bundle was published", "no: correct it first"),
    429: ("The hospital's own quota or share is used up", "yes, after `Retry-After`"),
    500: ("A bug of ours; nothing was published. The log names the place, by `X-Request-Id`", "no: tell the operator"),
    503: ("Saturated, stopping, or the log does not answer: nothing was published, or the outcome is unknown", "yes, after `Retry-After`: a duplicate changes no row"),
}  # fmt: skip


def status_page() -> str:
    """Return the text of docs/status-codes.md."""
    lines = [
        f"| {code} {HTTPStatus(code).phrase} | {meaning} | {again} |" for code, (meaning, again) in MEANINGS.items()
    ]
    return HEAD + "\n".join([*lines, "", *_entries(), *_routes(), *_codes(), ""])


def statuses() -> dict[str, tuple[int, ...]]:
    """Return the statuses that each code is refused with, by the failures that the source raises it with."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for folder in SOURCES:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            if "cli" not in path.parts:
                for code, kind in _raised(path):
                    found[code].add(int(status_of(_failure(kind, code))))
    for code, kind in PLACED_LATER.items():
        found[code].add(int(status_of(_failure(kind, code))))
    return {code: tuple(sorted(several)) for code, several in found.items()}


def _failure(kind: type[errors.PipelineError], code: str) -> errors.PipelineError:
    return kind(Issue(code)) if issubclass(kind, errors.Refused) else kind(code)


def _raised(path: Path) -> Iterator[tuple[str, type[errors.PipelineError]]]:
    """Yield code and failure of each `Failure(issue("code", …))` and `Failure("code")`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
            continue
        kind = getattr(errors, node.func.id, None)
        if not (isinstance(kind, type) and issubclass(kind, errors.PipelineError)):
            continue
        first = node.args[0].value if isinstance(node.args[0], ast.Starred) else node.args[0]
        first = first.elt if isinstance(first, ast.GeneratorExp) else first
        if isinstance(first, ast.Call) and isinstance(first.func, ast.Name) and first.func.id in MAKERS:
            first = first.args[0]
        if isinstance(first, ast.Constant) and first.value in catalogue():
            yield str(first.value), kind


def _entries() -> list[str]:
    others = ", ".join(f"`{code}` {status.value}" for code, status in ENTRY_STATUS.items())
    return [
        "## Entries of a batch",
        "",
        "A `batch` is answered 200, entry by entry and in order: `response.status` is `202 Accepted`, or",
        f"`422 Unprocessable Entity` with its outcome ({others}). Any other bundle is taken in whole or refused whole.",
        "",
    ]


def _routes() -> list[str]:
    lines = ["## Addresses", "", "| call | what it does | scope | answers |", "|---|---|---|---|"]
    for route in ROUTES:
        answers = ", ".join(map(str, statuses_of(route)))
        lines.append(
            f"| `{', '.join(route.methods)} {route.path}` | {route.summary} | {route.scope or '–'} | {answers} |"
        )
    return [*lines, ""]


def _codes() -> list[str]:
    known = statuses()
    lines = [
        "## Issue codes",
        "",
        "`refuses` is the status of a request that is refused for it; *warning* and *information* refuse nothing. Each code links to",
        "its page, with the sentence and the repair in both languages.",
        "",
        "| code | refuses | FHIR type | meaning |",
        "|---|---|---|---|",
    ]
    for code, message in sorted(catalogue().items()):
        lines.append(
            f"| [`{code}`](issues/README.md#{code}) | {_refuses(message, known.get(code))} | `{message.type}` |"
            f" {_cell(message.text['en'])} |"
        )
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").strip()


def _refuses(message: Message, known: tuple[int, ...] | None) -> str:
    if known:
        return ", ".join(map(str, known))
    return "422" if message.severity in ("error", "fatal") else f"*{message.severity}*"


def metrics_page() -> str:
    """Return the text of docs/metrics.md."""
    rows = [
        f"| `{PREFIX}{name}` | {', '.join(f'`{one}`' for one in LABELS.get(name, ())) or '–'} | {about} |"
        for name, about in METRICS.items()
    ]
    return METRICS_HEAD + "\n".join(rows) + "\n"


def main() -> None:
    """Write the documents."""
    STATUS_PAGE.write_text(status_page(), encoding="utf-8")
    METRICS_PAGE.write_text(metrics_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
