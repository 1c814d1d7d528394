"""docs/quality.md lists the checks that run, and docs/reference-data.md the tables that may be loaded."""

from __future__ import annotations

from pathlib import Path

from scripts.build_quality_docs import TARGET, page
from transformers.snds.reference_kinds import KINDS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_quality_is_made_from_the_catalogue() -> None:
    assert TARGET.read_text(encoding="utf-8") == page()


def test_every_reference_table_is_documented_with_its_columns() -> None:
    text = (DOCS / "reference-data.md").read_text(encoding="utf-8")

    for kind in KINDS.values():
        [line] = [line for line in text.splitlines() if line.startswith(f"| `{kind.name}` |")]
        listed = [field.name for field in kind.fields if field.required]
        assert [name for name in listed if f"`{name}`" not in line] == []
