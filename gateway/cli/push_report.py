"""`push`: the progress bar around the sending, and the summary after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fhir_profiles.errors import Misconfigured
from gateway.cli import screen
from gateway.cli.inputs import count, files
from gateway.cli.push_journal import Journal
from gateway.cli.pushing import Pusher, Summary, Target

REFUSALS_SHOWN = 10


def push(paths: Sequence[Path], *, url: str, key_file: Path, language: str, journal: Path | None, as_json: bool) -> int:
    """Send and report; 1 when something was refused or did not arrive."""
    key = key_file.read_text(encoding="utf-8").strip()
    if not key or not key.isascii():
        raise Misconfigured("key-file", f"{key_file} holds no API key")
    kept = Journal(journal) if journal is not None else None
    try:
        summary = push_with_bar(paths, Target(url, key, language), journal=kept)
    finally:
        if kept is not None:
            kept.close()
    if as_json:
        screen.write_json(summary.to_json())
    else:
        show_summary(summary)
    return 0 if summary.all_well else 1


def push_with_bar(paths: Sequence[Path], target: Target, *, journal: Journal | None = None) -> Summary:
    """Send with a progress bar on stderr."""
    found = files(paths)
    with screen.progress() as bar:
        task = bar.add_task("push", total=count(found))
        return Pusher(target, sent=lambda: bar.advance(task), journal=journal).push(found)


def show_summary(summary: Summary) -> None:
    """Show what became of it: by status, by issue code, and the first refusals with their places."""
    out = screen.console()
    rate = summary.requests / summary.seconds if summary.seconds else 0.0
    out.print(
        f"[bold]{screen.shown(summary.requests)}[/bold] requests, {summary.bytes / 1e6:.1f} MB"
        f" in {summary.seconds:.1f} s ({rate:.0f}/s), sent again {summary.retries} times"
        + (f", {screen.shown(summary.skipped)} skipped: the journal has their answers" if summary.skipped else "")
    )
    out.print(
        f"entries: [green]{screen.shown(summary.accepted)} accepted[/green], "
        f"{_red(summary.refused)} refused; requests without an outcome: {_red(summary.undelivered)}"
    )
    out.print(screen.grid(None, ("status", "requests"), sorted(summary.by_status.items()), right="requests"))
    if not summary.by_code:
        return
    sentences: dict[str, str] = {}
    for refusal in summary.refusals:
        for code, _, sentence in refusal.issues:
            sentences.setdefault(code, sentence)
    rows = [(code, number, screen.escaped(sentences.get(code, ""))) for code, number in summary.by_code.most_common()]
    out.print(screen.grid("Why", ("code", "issues", "the first one says"), rows, right="issues"))
    shown = [
        (screen.escaped(one.file), one.status, ", ".join(Counter(code for code, _, _ in one.issues)),
         one.issues[0][1] if one.issues else "")
        for one in summary.refusals[:REFUSALS_SHOWN]
    ]  # fmt: skip
    out.print(screen.grid("Where", ("file", "status", "codes", "place"), shown, right="status"))
    if len(summary.refusals) > REFUSALS_SHOWN:
        out.print(f"… and {len(summary.refusals) - REFUSALS_SHOWN} more", style="dim")


def _red(number: int) -> str:
    return f"[red]{screen.shown(number)}[/red]" if number else "0"
