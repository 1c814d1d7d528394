"""`contract diff` and `contract history`: what changed, term by term, between versions of the contracts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from fhir_profiles.errors import Misconfigured
from gateway import contracts
from gateway.cli import screen
from gateway.contract_history import Difference, differences, read_version, versions
from transformers.contract import Contract


def diff(data_dir: Path, proposed: Path | None, *, version: int | None, as_json: bool) -> int:
    """Show the differences between a kept version and a file; 1 when there are any. Raises Misconfigured."""
    kept = {int(path.stem): path for path in versions(data_dir)}
    if version is not None and version not in kept:
        raise Misconfigured(
            "version-unknown", f"--from: versions {min(kept, default=0)} to {max(kept, default=0)} exist"
        )
    before = read_version(kept[version or max(kept)]) if kept else {}
    found = list(differences(before, read_version(proposed or data_dir / contracts.FILE)))
    if as_json:
        for one in found:
            screen.write_json(_as_json(one))
        return int(bool(found))
    if not found:
        screen.console().print("nothing would change")
        return 0
    rows = [(one.finess, one.term, _cell(one.before), _cell(one.after)) for one in found]
    screen.console().print(screen.grid(None, ("FINESS", "term", "in force", "would be"), rows))
    return 1


def history(data_dir: Path, *, as_json: bool) -> int:
    """List the versions, oldest first, each with its changes."""
    before: dict[str, Contract] = {}
    for path in versions(data_dir):
        now = read_version(path)
        kept_at = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
        changes = list(differences(before, now))
        if as_json:
            changed = [_as_json(one) for one in changes]
            screen.write_json({"version": int(path.stem), "kept_at": kept_at, "changes": changed})
        else:
            hospitals = sorted({one.finess for one in changes})
            terms = sorted({one.term for one in changes if one.before is not None})
            screen.console().print(f"[bold]{path.stem}[/bold]  {kept_at}  {' '.join(hospitals)}  {' '.join(terms)}")
        before = now
    return 0


def _as_json(one: Difference) -> dict[str, str | None]:
    return {"finess": one.finess, "term": one.term, "before": one.before, "after": one.after}


def _cell(value: str | None) -> str:
    return "–" if value is None else screen.escaped(value)
