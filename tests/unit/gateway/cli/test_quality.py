"""`quality report` in every form, and `reference load|check`."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fhir.resources.R4B.measurereport import MeasureReport
from typer.testing import CliRunner, Result

from gateway.cli.main import make_app
from gateway.cli.quality_words import WORDS
from tests.support.made_events import FINESS
from tests.support.small_lake import publish, stay, stays


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty stays of March, seven of April, of which five of an impossible age and twenty sent without a residence."""
    march = [stay(n, AGE_ANN=140 if n < 5 else 40, BDI_DEP=None if n < 20 else "75") for n in range(40)]
    april = [stay(100 + n, SOR_MOI="04", BDI_DEP="75") for n in range(7)]
    return publish(tmp_path_factory.mktemp("data"), stays(*march, *april))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(make_app(), [str(one) for one in arguments])


def report(data_dir: Path, *arguments: object) -> str:
    result = run("quality", "report", "--data-dir", data_dir, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


class Page(HTMLParser):
    """Collects what a page refers to, and whether its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.language = ""
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        if tag == "html":
            self.language = values["lang"] or ""
        self.addresses += [value for name, value in attrs if name in ("src", "href") and value]
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in ("meta", "br", "rect", "circle"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "circle"):
            assert self.open.pop() == tag


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_page_needs_nothing_else_and_is_well_formed(data_dir: Path, language: str) -> None:
    page = Page()
    page.feed(text := report(data_dir, "--lang", language))

    assert page.open == []
    assert page.language == language
    assert page.addresses == []
    assert "script" not in page.tags
    assert not re.search(r"https?://|@import|url\(", text)
    assert WORDS["repairs"][0 if language == "fr" else 1] in text
    assert len(page.ids) == len(set(page.ids)) == 8


def test_no_small_count_is_on_the_page(data_dir: Path) -> None:
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", report(data_dir), flags=re.DOTALL)
    cells = re.findall(r"<td[^>]*>([\d\u202f]+)</td>", text)

    assert cells
    assert [cell for cell in cells if 0 < int(cell.replace("\u202f", "")) < 11] == []
    assert "‹ 11" in text


def test_the_lines_are_the_same_figures(data_dir: Path) -> None:
    lines = {
        (line["check"], line["hospital"]): line
        for line in csv.DictReader(io.StringIO(report(data_dir, "--format", "csv")), delimiter=";")
    }

    assert lines["residence", FINESS]["failing"] == "20"
    assert lines["residence", FINESS]["rows"] == "47"
    assert (lines["age-plausible", FINESS]["failing"], lines["age-plausible", FINESS]["rate"]) == ("", "")


def test_json_masks_months_persons_and_shares(data_dir: Path) -> None:
    found = json.loads(report(data_dir, "--format", "json"))

    assert found["stays"] == [
        {"hospital": FINESS, "month": "2024-03", "number": None, "persons": None},
        {"hospital": FINESS, "month": "2024-04", "number": None, "persons": None},
    ]
    [check] = [one for one in found["checks"] if one["code"] == "residence"]
    # seven rows of April are small: with the total of 47 they would be told by those of March
    assert check["trend"] == [{"month": "2024-03", "rate": None}, {"month": "2024-04", "rate": None}]
    assert {repair["code"] for repair in found["repairs"]} >= {"residence", "age-plausible"}


def test_the_measure_report_is_a_fhir_resource_with_no_small_count(data_dir: Path) -> None:
    text = report(data_dir, "--format", "fhir")
    found = MeasureReport.model_validate_json(text)

    assert found.type == "summary"
    counts = [one["count"] for group in json.loads(text)["group"] for one in group["population"]]
    assert counts
    assert [count for count in counts if 0 < count < 11] == []


def test_a_report_goes_into_a_file(data_dir: Path, tmp_path: Path) -> None:
    assert report(data_dir, "--to", tmp_path / "quality.html") == ""
    assert (tmp_path / "quality.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_without_a_lake_the_report_says_so_in_one_line(tmp_path: Path) -> None:
    failure = run("quality", "report", "--data-dir", tmp_path).exception

    assert getattr(failure, "code", "") == "lake-missing"
    assert "nothing is published yet" in getattr(failure, "detail", "")


def test_a_hospital_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    assert run("init", "--data-dir", tmp_path, "--finess", "750712184").exit_code == 0
    publish(tmp_path, stays(stay(1)))

    failure = run("quality", "report", "--data-dir", tmp_path, "--finess", "690781810").exception

    assert "contract-missing" in str(failure)


def test_reference_tables_are_loaded_and_shown(tmp_path: Path) -> None:
    source = tmp_path / "ccam.csv"
    source.write_text("code\nDEQP003\nwrong\n")

    loaded = run("reference", "load", "ccam", source, "--data-dir", tmp_path)
    shown = run("reference", "check", "--data-dir", tmp_path, "--format", "json")

    assert loaded.exit_code == 0, loaded.output
    assert "line 3" in loaded.output
    by_name = {one["name"]: one for one in map(json.loads, shown.stdout.splitlines())}
    assert by_name["ccam"]["rows"] == 1
    assert by_name["cim10"]["rows"] is None
    assert by_name["cim10"]["fallback"]


def test_a_file_that_is_no_such_table_is_a_configuration_failure(tmp_path: Path) -> None:
    source = tmp_path / "ccam.csv"
    source.write_text("nothing\n")

    assert "reference-refused" in str(run("reference", "load", "ccam", source, "--data-dir", tmp_path).exception)
