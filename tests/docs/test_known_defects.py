"""The page of clarifications names every rule of a guide that is not kept as published."""

from __future__ import annotations

from pathlib import Path

from fhir_profiles.compiler.defects import known_defects

PAGE = Path(__file__).resolve().parents[2] / "docs" / "spec-clarifications.md"


def test_every_known_defect_is_on_the_page_with_its_reason() -> None:
    rows = [row for row in PAGE.read_text(encoding="utf-8").splitlines() if row.startswith("|")]

    for one in known_defects():
        name = one.profile.rpartition("/")[2]
        assert any(f"`{name}`" in row and f"`{one.element}`" in row and one.reason in row for row in rows), name
