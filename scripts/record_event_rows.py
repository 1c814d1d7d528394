"""Record anew what the recorded events give as rows, after a rule of the tables changed on purpose. Read the diff."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.golden_events import GOLDEN, rows_of_recorded_events

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        (GOLDEN / "rows.txt").write_text(rows_of_recorded_events(Path(name)) + "\n", encoding="utf-8")
