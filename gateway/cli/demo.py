"""`demo`: the whole line on a fictitious hospital, told step by step.

Real parts only: `init`, `serve` as a process, HTTP, the embedded log, the table writer, the lake. Removes a folder
only when an earlier demonstration made it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from fhir_profiles.errors import Misconfigured
from gateway.cli import demo_story as story
from gateway.cli import hospitals, lake, screen
from gateway.cli.generating import write_with_bar
from gateway.cli.push_report import push_with_bar
from gateway.cli.pushing import Summary, Target
from gateway.cli.server_process import Server, end_former, free_port
from gateway.synthetic.writing import UNITS
from streaming.accounts import status, wait_idle

FINESS = "750712184"
NAME = "CHU Fictif"
SEED = 1
PORT = 8080
MARK = "this-is-a-demonstration"
IDLE_WITHIN_S = 180.0


def demo(data_dir: Path, *, keep: bool, stays: int, port: int | None) -> int:
    """Tell the story; 0 when it ended well."""
    started = time.monotonic()
    out = screen.console()
    out.print(story.title(stays))
    _prepare(data_dir)
    with _timed(out, "A new installation, the hospital's contract, keys of 256 bits"):
        _install(data_dir)
    server = Server(data_dir, free_port(port or PORT))
    try:
        _tell(out, server, data_dir, stays=stays)
        out.print(story.end(time.monotonic() - started))
        out.print(story.what_next(data_dir, FINESS, server=server if keep else None), crop=False)
    except BaseException:
        server.end()
        raise
    if not keep:
        server.end()
    return 0


def _tell(out: Any, server: Server, data_dir: Path, *, stays: int) -> None:  # noqa: ANN401 — rich's Console
    bundles = data_dir / "bundles"
    with _timed(out, f"{stays} synthetic stays, some bundles wrong on purpose"):
        manifest = write_with_bar(bundles, stays=stays, seed=SEED, finess=FINESS)
    with _timed(out, "The gateway answers on HTTP"):
        server.wait_ready()
    key = (data_dir / "credentials" / f"{FINESS}.key").read_text(encoding="utf-8").strip()
    with _timed(out, "Every bundle posted, four at a time"):
        summary = push_with_bar([bundles], Target(server.url, key))
    with _timed(out, "Events applied, rows written, lake published"):
        if not wait_idle(data_dir, IDLE_WITHIN_S):
            raise Misconfigured("demo-not-idle", f"see {server.log}")
    out.print(story.accounts(status(data_dir), summary, manifest))
    refused = _refused(server, key, summary)
    if refused is not None:
        out.print(story.refusal(*refused))
    with lake.reading(data_dir) as connection:
        out.print(story.tables(connection))
        out.print(story.question(connection))


def _prepare(data_dir: Path) -> None:
    if data_dir.is_dir() and any(data_dir.iterdir()):
        if not (data_dir / MARK).is_file():
            raise Misconfigured("demo-folder", f"{data_dir} holds something else: choose another with --data-dir")
        end_former(data_dir)
        shutil.rmtree(data_dir)
    data_dir.mkdir(parents=True, exist_ok=True)


def _install(data_dir: Path) -> None:
    terms = hospitals.Terms(finess=FINESS, name=NAME, test_identities=True)
    hospitals.install(data_dir, terms)
    (data_dir / MARK).write_text("The next `snds-gateway demo` removes this folder.\n", encoding="utf-8")
    from gateway.synthetic.scene import Hospital, unit_table

    table = data_dir / UNITS
    table.write_text(unit_table(Hospital(FINESS)), encoding="utf-8")
    hospitals.load_units(data_dir, FINESS, table)


def _refused(server: Server, key: str, summary: Summary) -> tuple[str, dict[str, Any]] | None:
    """Ask again, as a dry run that no account counts, why the first refused bundle was refused."""
    if not summary.refusals:
        return None
    file = Path(min(one.file for one in summary.refusals))
    answer = httpx.post(
        f"{server.url}/fhir/$validate",
        content=file.read_bytes(),
        headers={
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/fhir+json",
            "Accept-Language": "fr",
        },
        timeout=120,
        trust_env=False,
    )
    return file.name, answer.json()


@contextmanager
def _timed(out: Any, sentence: str) -> Iterator[None]:  # noqa: ANN401
    started = time.monotonic()
    yield
    out.print(f"[green]✓[/green] {sentence} [dim]{time.monotonic() - started:.1f} s[/dim]")
