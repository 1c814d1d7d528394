"""The pages for data protection officers say what the code does, in both languages, and claim nothing more."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from transformers.contract import DEFAULT_POTENTIAL_IDENTIFIERS, POTENTIAL_IDENTIFIERS
from transformers.deidentify.rulebook import ACTIONS
from transformers.deidentify.rules import load_rules

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FRENCH, ENGLISH = (DOCS / "deidentification.md").read_text(encoding="utf-8").split("\n---\n")
CODES = tomllib.loads((ROOT / "fhir_profiles" / "messages" / "deidentify.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("half", [FRENCH, ENGLISH], ids=["fr", "en"])
def test_every_action_reason_refusal_and_switch_is_explained(half: str) -> None:
    reasons = set(load_rules().book.texts) - set(ACTIONS)

    named = set(re.findall(r"`([a-z-]+)`", half))
    assert [one for one in (*ACTIONS, *sorted(reasons), *CODES, *POTENTIAL_IDENTIFIERS) if one not in named] == []


def test_the_number_of_surviving_paths_is_the_real_one() -> None:
    listed = (ROOT / "tests/unit/transformers/deidentify/surviving_paths.txt").read_text(encoding="utf-8").split()

    number = f"{len(listed):,}"
    assert number in ENGLISH
    assert number.replace(",", "\u202f") in FRENCH or number.replace(",", " ") in FRENCH


def test_the_switches_that_are_on_by_default_are_told() -> None:
    on = ENGLISH.partition("on by default")[0].rpartition("\n")[2]

    assert set(re.findall(r"`([a-z-]+)`", on)) == DEFAULT_POTENTIAL_IDENTIFIERS


@pytest.mark.parametrize("page", ["deidentification.md", "privacy-threats.md", "dpia-notes.md"])
def test_no_page_claims_anonymity_or_a_certification(page: str) -> None:
    for line in (DOCS / page).read_text(encoding="utf-8").lower().splitlines():
        if re.search(r"anonym(?!e, cach|es, cach|ous, hidden|ous or hidden)|certifi", line):
            assert re.search(
                r"\b(no|not|never|nor|none|jamais|aucune|ni)\b|^certification|^anonymisation|anom", line
            ), line


def test_every_test_named_as_a_proof_exists() -> None:
    text = (DOCS / "dpia-notes.md").read_text(encoding="utf-8")

    named = re.findall(r"`(tests/[\w/]+\.py)`", text)
    assert len(named) > 8
    assert [one for one in named if not (ROOT / one).exists()] == []
