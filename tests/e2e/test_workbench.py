"""The workbench in a real Chromium: each page, each example, nothing stored, nothing asked of other hosts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium.webdriver.remote.webelement import WebElement

from gateway.synthetic.bundles import stay_bundle
from gateway.synthetic.plan import plan_ordinary
from gateway.synthetic.scene import Hospital
from gateway.workbench.examples import EXAMPLES, example
from tests.support import workbench
from tests.support.installation import COMMAND, FINESS, Installation, snds_gateway
from tests.support.workbench import AXE, Browser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(workbench.missing() is not None, reason=str(workbench.missing()))]

VERDICT = "[data-testid=verdict]"
CANARY = "zqcanaryworkbenchxkwvj"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation whose tables hold the stays of a synthetic hospital."""
    folder = tmp_path_factory.mktemp("workbench")
    installation = Installation(folder / "data", "--test-identities", "--name", "CHU Fictif")
    snds_gateway("generate", "--stays", "40", "--seed", "1", "--to", str(folder / "bundles"))
    (folder / "bundles" / "1-without-diagnosis.json").write_bytes(without_diagnosis())
    key = installation.data_dir / "credentials" / f"{FINESS}.key"
    with installation.serving():
        snds_gateway(
            "push", str(folder / "bundles"), "--url", installation.url, "--key-file", str(key), check=False
        )  # fmt: skip
        person = next(one for one in json.loads(example("valid", FINESS))["entry"] if _is(one, "Patient"))["resource"]
        (folder / "person.json").write_text(json.dumps(person), encoding="utf-8")
        snds_gateway(
            "rights", "oppose", "--data-dir", str(installation.data_dir), "--finess", FINESS,
            "--patient", str(folder / "person.json"),
        )  # fmt: skip
        installation.wait_idle()
    return installation


def without_diagnosis() -> bytes:
    """Return a stay that no other bundle speaks of, and that has no diagnosis."""
    bundle = stay_bundle(99, Hospital(FINESS), plan_ordinary(99, 5000))
    bundle["entry"] = [one for one in bundle["entry"] if not _is(one, "Condition")]
    for one in bundle["entry"]:
        one["resource"].pop("diagnosis", None)
    return json.dumps(bundle).encode()


def _is(entry: dict[str, Any], kind: str) -> bool:
    return bool(entry["resource"]["resourceType"] == kind)


@pytest.fixture(scope="module")
def address(home: Installation) -> Iterator[str]:
    with workbench.running_workbench(home.data_dir) as url:
        yield url


@pytest.fixture
def browser(home: Installation, address: str) -> Iterator[Browser]:
    opened = Browser(address)
    try:
        opened.enter(home.key())
        yield opened
        assert opened.requested() <= {address}
        assert opened.complaints() == []
    finally:
        opened.close()


def drop(browser: Browser, *paths: Path) -> None:
    browser.one("input[type=file]").send_keys("\n".join(map(str, paths)))


def cells(row: WebElement) -> list[str]:
    return [one.text for one in row.find_elements("tag name", "td")]


def start(browser: Browser, name: str) -> None:
    browser.choose("[data-testid=example]", EXAMPLES[name][0][0])
    browser.one(VERDICT)


@pytest.mark.parametrize("path", ["", "/profiles", "/quality", "/flow", "/tables", "/rules"])
def test_no_page_opens_without_a_session(address: str, path: str) -> None:
    answer = httpx.get(f"{address}/workbench{path}", timeout=180)

    assert answer.status_code == 303
    assert answer.headers["location"] == "/workbench/login"


def test_a_wrong_key_opens_nothing(address: str) -> None:
    answer = httpx.post(f"{address}/workbench/login", data={"key": "sgk_00000000_" + "x" * 43}, timeout=180)

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("valid", "serait accepté"), ("units", "serait accepté"), ("wrong-ins", "serait accepté"),
        ("r5", "serait refusé"), ("no-dp", "serait accepté"), ("gender", "serait refusé"), ("open", "serait accepté"),
    ],
)  # fmt: skip
def test_each_example_shows_what_it_is_made_for(browser: Browser, name: str, verdict: str) -> None:
    start(browser, name)

    assert browser.text(VERDICT) == verdict
    browser.tab("Tables")
    if name == "no-dp":
        browser.wait(lambda: "principal-diagnosis-missing" in browser.text("[data-testid=stay]"))
    if name == "open":
        browser.wait(lambda: browser.text("[data-testid=stay]").startswith("Séjour ouvert"))


def test_a_click_on_an_issue_puts_the_cursor_on_its_line(browser: Browser) -> None:
    start(browser, "r5")

    line = int(browser.text("[data-testid=line]").split()[-1])
    browser.click("[data-testid=line]")
    browser.wait(lambda: browser.cursor_line() == line)

    written = example("r5", FINESS).splitlines()
    assert any('"MedicationAdministration"' in one for one in written[line - 1 : line + 3])


def test_the_three_views_tell_of_one_document(browser: Browser) -> None:
    start(browser, "valid")
    browser.tab("Pseudonymisation")
    dropped = browser.wait(lambda: browser.text("[data-testid=count-dropped]"))
    gone = browser.wait(lambda: [one.value_of_css_property("text-decoration-line") for one in browser.all(".wb-gone")])
    browser.tab("Tables")
    tables = browser.wait(lambda: [words for words in browser.texts(".q-tab") if "T_MCO" in words])

    assert int(dropped.split()[0]) > 50
    assert set(gone) == {"line-through"}
    assert any(one.endswith("B (1)") for one in tables)


def test_the_language_switches_and_the_page_says_so(browser: Browser) -> None:
    start(browser, "gender")
    browser.press(lambda: browser.with_words("header button", lambda words: words == "English"))
    browser.wait(lambda: browser.driver.execute_script("return document.documentElement?.lang") == "en")

    browser.wait(lambda: "Check" in browser.texts("button"))


def test_a_folder_of_200_files_is_checked_with_progress(browser: Browser, home: Installation, tmp_path: Path) -> None:
    source = sorted((home.data_dir.parent / "bundles").glob("*.json"))[0].read_text(encoding="utf-8")
    paths = []
    for number in range(200):
        path = tmp_path / f"bundle-{number:03d}.json"
        path.write_text(source, encoding="utf-8")
        paths.append(path)

    drop(browser, *paths)
    browser.wait(lambda: browser.text("[data-testid=progress]") == "200 / 200")

    assert browser.wait(lambda: browser.all(".q-table tbody tr"))


def test_a_large_bundle_is_checked_and_the_page_goes_on(browser: Browser, tmp_path: Path) -> None:
    bundle = json.loads(example("valid", FINESS))
    observations = [one for one in bundle["entry"] if one["resource"]["resourceType"] == "Observation"]
    bundle["entry"] += [_renamed(observations[0], number) for number in range(950 - len(bundle["entry"]))]
    for one in bundle["entry"]:
        if _is(one, "Observation"):
            one["resource"]["note"] = [{"text": "commentaire sans valeur " * 265}]
    path = tmp_path / "large.json"
    path.write_text(json.dumps(bundle, indent=2), encoding="utf-8")

    drop(browser, path)
    browser.one(VERDICT)

    assert path.stat().st_size > 9_500_000
    assert browser.text(VERDICT) == "serait accepté"


def _renamed(entry: dict[str, Any], number: int) -> dict[str, Any]:
    copied: dict[str, Any] = json.loads(json.dumps(entry))
    copied["resource"]["id"] = f"many-{number}"
    copied["resource"].pop("identifier", None)
    copied["fullUrl"] = f"https://hopital-fictif.example/fhir/Observation/many-{number}"
    copied["request"] = {"method": "PUT", "url": f"Observation/many-{number}"}
    return copied


def test_a_column_that_an_element_feeds_is_shown_and_marked_in_its_table(browser: Browser) -> None:
    start(browser, "valid")
    browser.tab("Pseudonymisation")
    name = browser.wait(lambda: browser.text("[data-testid=forward]"))
    browser.click("[data-testid=forward]")

    marked = browser.wait(lambda: [one.text for one in browser.all("tr.selected") if one.is_displayed()])
    assert marked[0].split()[0] == name.partition(".")[2]


def test_a_profile_is_a_tree_whose_rules_are_sentences(browser: Browser) -> None:
    browser.go("/workbench/profiles")
    browser.wait(lambda: "maritalStatus" in browser.text(".q-tree"))
    browser.one("input[data-testid=search-profile]").send_keys("patient-gender")
    browser.wait(lambda: "maritalStatus" not in browser.text(".q-tree"))
    browser.wait(lambda: "fr-core-vs-patient-gender" in browser.text(".q-tree"))

    assert "codes imposés : https://" in browser.text(".q-tree")
    assert "maritalStatus" not in browser.text(".q-tree")


def test_profiles_are_searched_and_two_versions_of_fr_core_compared(browser: Browser) -> None:
    browser.go("/workbench/profiles")
    told = ("Différences 2.1.0 → 2.2.0", "Patient.identifier", "Défauts connus des guides")

    def page_tells() -> bool:
        page = browser.text("main")
        return all(words in page for words in told)

    browser.wait(page_tells)


def test_the_quality_report_is_alive_and_masked(browser: Browser) -> None:
    browser.go("/workbench/quality")
    browser.wait(lambda: "Réparations les plus utiles" in browser.text("main"))

    assert "Les effectifs de 1 à 10 sont masqués." in browser.text("main")


def test_the_flow_shows_accounts_that_close(browser: Browser, home: Installation) -> None:
    browser.go("/workbench/flow")

    assert browser.wait(lambda: browser.text("[data-testid=balance]")) == "Les comptes sont justes."
    accounts = json.loads(snds_gateway("status", "--data-dir", str(home.data_dir), "--format", "json").stdout)
    browser.wait(lambda: str(accounts["received"]) in browser.text("main"))


def test_the_flow_tells_what_each_hospital_sent_and_how_long_it_waited(browser: Browser) -> None:
    browser.go("/workbench/flow")

    def hospital_s_line() -> dict[str, str] | None:
        """One look at a table that is written anew every two seconds: heads and line are of the same one, or none."""
        tables = [one for one in browser.all(".q-table") if "Attente médiane (ms)" in one.text]
        for table in tables:
            heads = [one.text for one in table.find_elements("tag name", "th")]
            lines = [cells(one) for one in table.find_elements("css selector", "tbody tr")]
            return next((dict(zip(heads, line, strict=True)) for line in lines if line[:1] == [FINESS]), None)
        return None

    waited = browser.wait(hospital_s_line)
    assert int(waited["Séjours écrits"]) > 20
    assert float(waited["Attente médiane (ms)"]) > 0
    assert float(waited["Attente, 95 % (ms)"]) >= float(waited["Attente médiane (ms)"])


def test_the_receipt_of_an_act_is_handed_over_and_verifies(
    browser: Browser, home: Installation, tmp_path: Path
) -> None:
    browser.downloads_to(tmp_path)
    browser.go("/workbench/flow")

    def act() -> WebElement | None:
        """The accounts, that come a moment later and stand above, have a line with the word "opposition" too."""
        return next((one for one in browser.all("tbody tr") if cells(one)[1:2] == ["opposition"]), None)

    browser.press(act)
    path = browser.downloaded(tmp_path, "receipt-*.json")
    number = path.stem.removeprefix("receipt-")

    assert json.loads(path.read_bytes())["id"] == number
    verified = subprocess.run(
        [*COMMAND, "rights", "receipt", number, "--verify", "--data-dir", str(home.data_dir)],
        input=path.read_bytes(), capture_output=True, check=False,
    )  # fmt: skip
    assert verified.returncode == 0


def test_the_quarantine_browser_leads_to_event_and_entry(browser: Browser, home: Installation) -> None:
    browser.go("/workbench/quality")

    def quarantined() -> list[str]:
        """Return the events of the lines that name an entry by its number."""
        lines = [cells(one) for one in browser.all("tbody tr") if "principal-diagnosis-missing" in one.text]
        return [line[2] for line in lines if len(line) == 4 and line[3].isdigit()]

    event = browser.wait(quarantined)[0]

    told = [one.read_text(encoding="utf-8") for one in (home.data_dir / "audit").glob("*.jsonl")]
    assert any(event in one for one in told)


def test_sql_and_counts_answer_from_the_lake(browser: Browser) -> None:
    browser.go("/workbench/tables")
    browser.click("[data-testid=ask]")
    browser.wait(lambda: "DGN_PAL" in browser.texts("th"))
    browser.click("[data-testid=count]")
    browser.wait(lambda: "Personnes" in browser.text("main"))


def test_a_key_without_the_scope_sees_neither_flow_nor_sql(home: Installation, address: str) -> None:
    snds_gateway(
        "hospital", "add", "--data-dir", str(home.data_dir), "--finess", FINESS, "--source", "READER",
        "--scopes", "validate",
    )  # fmt: skip
    opened = Browser(address)
    try:
        opened.enter(home.key(f"{FINESS}-READER"))
        opened.go("/workbench/flow")
        refused = opened.text("[role=alert]")
        opened.go("/workbench/tables")
        boxes = opened.all("textarea")
    finally:
        opened.close()

    assert "operate" in refused
    assert boxes == []


def test_nothing_of_a_document_reaches_a_log_or_a_disk(browser: Browser, home: Installation, tmp_path: Path) -> None:
    bundle = json.loads(example("valid", FINESS))
    for one in bundle["entry"]:
        if one["resource"]["resourceType"] == "Patient":
            one["resource"]["name"][0]["family"] = CANARY
    path = tmp_path / "canary.json"
    path.write_text(json.dumps(bundle), encoding="utf-8")

    drop(browser, path)
    browser.one(VERDICT)
    browser.tab("Pseudonymisation")

    held = [home.data_dir.parent / "workbench.log", *(one for one in home.data_dir.rglob("*") if one.is_file())]
    assert [one for one in held if CANARY.encode() in one.read_bytes()] == []


@pytest.mark.skipif(not AXE.is_file(), reason="no axe-core: make test-servers")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_no_page_has_a_serious_accessibility_fault(home: Installation, address: str, width: int, dark: bool) -> None:
    opened = Browser(address, width=width, dark=dark)
    found: dict[str, list[str]] = {}
    try:
        opened.enter(home.key())
        start(opened, "r5")
        found["bench"] = opened.violations()
        for path in ("profiles", "quality", "flow", "tables", "rules"):
            opened.go(f"/workbench/{path}")
            opened.wait(lambda: opened.all("table, [role=status], .q-table"))
            found[path] = opened.violations()
    finally:
        opened.close()

    assert found == {path: [] for path in found}
