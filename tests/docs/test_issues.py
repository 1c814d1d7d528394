"""The page of issues is what the catalogue says, in both languages, for every code."""

from __future__ import annotations

import pytest

from fhir_profiles.issues import ISSUE_PAGES, Message, catalogue, issue, to_fhir
from scripts.build_issue_docs import DOCUMENT, document

MESSAGES = sorted(catalogue().values(), key=lambda message: message.code)


def test_the_page_of_issues_is_what_the_catalogue_says() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document()


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.code)
def test_every_message_speaks_french_and_english(message: Message) -> None:
    assert message.text["fr"]
    assert message.text["en"]
    assert bool(message.repair["fr"]) == bool(message.repair["en"])
    assert message.text["fr"] != message.text["en"]


def test_every_issue_links_to_its_heading() -> None:
    [link] = [one["valueUrl"] for one in to_fhir(issue("ok"))["extension"] if "valueUrl" in one]

    assert link == f"{ISSUE_PAGES}#ok"
    assert "\n## ok\n" in document()
