"""`generate`: a progress bar around the synthetic hospital."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.cli import screen
from gateway.credentials import checked_finess
from gateway.synthetic.scene import Hospital
from gateway.synthetic.writing import MANIFEST, REFERENCE, UNITS, bundle_count, write_stays


def generate(folder: Path, *, stays: int, seed: int, finess: str, rare: int = 0) -> int:
    """Write the folder and say what is in it. Raises Misconfigured for a FINESS that is none."""
    checked_finess(finess, "--finess")
    manifest = write_with_bar(folder, stays=stays, seed=seed, finess=finess, rare=rare)
    out = screen.console()
    out.print(
        f"[bold]{manifest['bundles']}[/bold] bundles, {screen.shown(manifest['resources'])} resources in"
        f" {screen.escaped(str(folder))}: synthetic, marked HTEST; {len(manifest['faults'])} wrong on purpose"
    )
    planted = manifest["planted"] | manifest.get("rare", {})
    rows = sorted(planted.items(), key=lambda item: (-item[1], item[0]))
    out.print(screen.grid(None, ("planted", "number"), rows, right="number"))
    out.print(
        f"[dim]{MANIFEST} says what should come of it; {UNITS} is for `hospital units`,"
        f" {REFERENCE}/ for `reference load`[/dim]"
    )
    return 0


def write_with_bar(folder: Path, *, stays: int, seed: int, finess: str, rare: int = 0) -> dict[str, Any]:
    """Write the folder with a progress bar on stderr."""
    with screen.progress() as bar:
        task = bar.add_task("generate", total=bundle_count(stays, rare))
        return write_stays(
            folder,
            seed=seed,
            stays=stays,
            hospital=Hospital(finess),
            rare=rare,
            wrote=lambda count: bar.update(task, completed=count),
        )
