"""Documents point at files that exist, and hold no path of one machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
CODE = re.compile(r"```.*?```|(`+)[^\n]*?\1", re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_link_leads_to_a_file(document: Path) -> None:
    missing = [
        link
        for link in LINK.findall(CODE.sub("", document.read_text(encoding="utf-8")))
        if not (document.parent / link).resolve().exists()
    ]

    assert missing == []


@pytest.mark.parametrize(
    "name", ["requirements.lock", "requirements-dev.lock", "requirements-build.lock", "requirements-fuzz.lock"]
)
def test_a_lock_file_pins_with_hashes_and_names_no_registry(name: str) -> None:
    text = (PROJECT / name).read_text(encoding="utf-8")
    pins = [line for line in text.splitlines() if "==" in line and not line.lstrip().startswith("#")]

    assert pins
    assert "://" not in text
    assert "--find-links" not in text
    assert all(line.endswith("\\") for line in pins)
    assert text.count("--hash=sha256:") >= len(pins)
