"""The catalogue of checks → docs/quality.md. `python -m scripts.build_quality_docs --check` only compares."""

from __future__ import annotations

import sys
from pathlib import Path

from streaming.quality_checks import CLINICAL, STAYS

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "docs" / "quality.md"


def page() -> str:
    """Return the whole page."""
    lines = [(HERE / "quality.head.md").read_text(encoding="utf-8").rstrip("\n"), ""]
    lines += ["| check | family | table | français | English | réparation / repair |", "|---|---|---|---|---|---|"]
    for one in (*STAYS, *CLINICAL):
        cells = (
            f"`{one.code}`",
            one.family,
            f"`{one.table}`",
            one.text.fr,
            one.text.en,
            f"{one.repair.fr} / {one.repair.en}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page, or say that it is not up to date."""
    if "--check" in sys.argv:
        return int(not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != page())
    TARGET.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
