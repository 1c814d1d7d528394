"""docs/promises.md names tests that exist, and every promise that a module claims stands there."""

from __future__ import annotations

import re
from pathlib import Path

from scripts.build_faults_docs import documents

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "promises.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (P\d+) \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE))


def test_every_promise_has_a_proof_that_exists_or_says_that_it_has_none() -> None:
    for number, proof in ROWS.items():
        cited = re.findall(r"`(tests/[^`]+)`", proof)

        assert cited or "*not yet proven*" in proof, number
        assert [one for one in cited if not exists(one)] == [], number


def exists(cited: str) -> bool:
    """Say whether a file is there and, when a test in it is named, that test."""
    name, _, test = cited.partition("::")
    file = PROJECT / name
    return file.exists() and (not test or f"def {test}(" in file.read_text(encoding="utf-8"))


def test_promises_of_the_stream_name_their_tests_one_by_one() -> None:
    for number in [*range(1, 13), 24]:
        assert "::test_" in ROWS[f"P{number}"], number


def test_the_figures_are_those_of_the_last_campaign() -> None:
    for page, document in documents().items():
        assert page.read_text(encoding="utf-8") == document, f"make docs: {page.name}"


def test_every_promise_that_a_module_claims_stands_on_the_page() -> None:
    claimed = set()
    for package in ("fhir_profiles", "transformers", "streaming", "gateway"):
        for path in (PROJECT / package).rglob("*.py"):
            for found in re.findall(r"[Pp]romises?:? ((?:P\d+(?:, )?)+)", path.read_text(encoding="utf-8")):
                claimed |= set(re.findall(r"P\d+", found))

    assert len(claimed) > 10
    assert claimed <= set(ROWS)


def test_promises_are_numbered_without_a_gap() -> None:
    assert list(ROWS) == [f"P{number}" for number in range(1, 25)]
