"""One document through the line in memory: what a page shows, hands over, and never hands over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.house import Yardstick, load
from gateway.settings import load_settings
from gateway.workbench.analysis import Analysis, analyse, bench_of, columns_fed, place_of_column, shareable
from gateway.workbench.examples import EXAMPLES, example
from gateway.workbench.printable import printable
from tests.support.installation import FINESS, Installation
from transformers.contract import Contract

HOSTILE = "<script>alert('zqcanary')</script>"


@pytest.fixture(scope="module")
def yardstick(tmp_path_factory: pytest.TempPathFactory) -> Yardstick:
    data_dir = Installation(tmp_path_factory.mktemp("analysis") / "data").data_dir
    return load(load_settings(data_dir, {})).yardstick


def analysed(content: bytes, yardstick: Yardstick) -> Analysis:
    return analyse(content, bench_of(Contract(FINESS, "CHU"), yardstick, "enforce"), language="fr")


def values_of(node: Any) -> Iterator[str]:
    """Yield every string that a sender wrote."""
    if isinstance(node, dict):
        for one in node.values():
            yield from values_of(one)
    elif isinstance(node, list):
        for one in node:
            yield from values_of(one)
    elif isinstance(node, str):
        yield node


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_case_to_share_holds_no_value_of_the_document(name: str, yardstick: Yardstick) -> None:
    text = example(name, FINESS)
    bundle = json.loads(text)
    definitional = {one["resource"]["resourceType"] for one in bundle["entry"]} | {"Bundle"}
    written = {one for one in values_of(bundle) if len(one) > 5 and not one.startswith(("http://", "https://"))}

    case = shareable(analysed(text.encode(), yardstick), "fr").decode()

    assert [one for one in written - definitional if f'"{one}"' in case] == []
    assert json.loads(case)["elements"] or json.loads(case)["issues"]


def test_a_printable_report_tells_every_issue_and_runs_nothing(yardstick: Yardstick) -> None:
    bundle = json.loads(example("r5", FINESS))
    bundle["entry"][0]["resource"]["gender"] = HOSTILE
    analysis = analysed(json.dumps(bundle).encode(), yardstick)

    page = printable(analysis, "fr").decode()

    assert HOSTILE not in page
    assert "<script" not in page
    assert all(one.code in page for one in analysis.found)


def test_a_column_leads_to_its_element_and_an_element_to_its_columns(yardstick: Yardstick) -> None:
    text = json.dumps(json.loads(example("valid", FINESS)), indent=2)
    analysis = analysed(text.encode(), yardstick)

    line = place_of_column(text.encode(), "T_MCO24B", "COD_SEX")

    assert line is not None
    assert '"gender"' in text.splitlines()[line - 1]
    assert "T_MCOaaB.COD_SEX" in columns_fed("Patient.gender")
    assert any("T_MCOaaB.COD_SEX" in one.columns for one in analysis.leaving)


def test_keys_end_with_the_call(yardstick: Yardstick, tmp_path: Path) -> None:
    content = example("valid", FINESS).encode()

    first, second = analysed(content, yardstick), analysed(content, yardstick)

    changed = [(a.after, b.after) for a, b in zip(first.leaving, second.leaving, strict=True) if a.path.endswith(".id")]
    assert changed
    assert all(a != b for a, b in changed if a)
    assert list(tmp_path.iterdir()) == []
