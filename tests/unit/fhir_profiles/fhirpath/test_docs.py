"""docs/spec-clarifications.md lists the corrections, omissions and unsupported cases as the code has them."""

from __future__ import annotations

from scripts.build_fhirpath_docs import PAGE, tables, written


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert written(page) == page
    assert all(f"<!-- fhirpath: {name} -->" in page for name in tables())
