"""The page of issues is what the catalogue says, in both languages, for every code."""

from __future__ import annotations

from string import Formatter

import pytest

from fhir_profiles.issues import ISSUE_PAGES, Issue, Message, catalogue, issue, to_fhir
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


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.code)
def test_every_message_can_be_told_with_what_its_texts_name(message: Message) -> None:
    named = {
        name
        for text in (*message.text.values(), *message.repair.values())
        for _, name, _, _ in Formatter().parse(text)
        if name
    }

    told = to_fhir(Issue(message.code, params={name: f"<{name}>" for name in named}))

    assert told["details"]["coding"][0]["code"] == message.code
    assert "{" not in told["details"]["text"] or "{asked}" in message.text["fr"]


def test_every_issue_links_to_its_heading() -> None:
    [link] = [one["valueUrl"] for one in to_fhir(issue("ok"))["extension"] if "valueUrl" in one]

    assert link == f"{ISSUE_PAGES}#ok"
    assert "\n## ok\n" in document()
