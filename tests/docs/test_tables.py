"""docs/tables.md says what the product does: made by its script, all listed, no empty column without a reason."""

from __future__ import annotations

import pytest

from scripts.build_table_docs import DOCUMENT, differences
from transformers.snds.quarantine import COUNTS, REASONS
from transformers.snds.schema import TABLES


def test_every_table_reason_and_counter_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    assert [name for name in (*TABLES, *REASONS, *COUNTS) if f"`{name}`" not in text] == []


def test_an_empty_column_has_its_reason() -> None:
    assert "not filled" not in DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_document_is_what_its_script_makes() -> None:
    assert list(differences()) == []
