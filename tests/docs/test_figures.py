"""The figures that the documents show are the newest ones that were measured."""

from __future__ import annotations

from scripts.build_figures_docs import PAGE, document


def test_the_page_shows_the_newest_figure_of_each_measurement() -> None:
    assert PAGE.read_text(encoding="utf-8") == document()
