"""A synthetic hospital in the workbench → docs/images/workbench-*.png: what the README and the guides show.

Run it after a change of the workbench, with Chromium at hand: `python -m scripts.take_screenshots`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from gateway.workbench.examples import EXAMPLES
from tests.support.installation import FINESS, Installation, snds_gateway
from tests.support.workbench import Browser, running_workbench

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
SIZE = (1280, 800)


def main() -> None:
    """Fill an installation, open the pages, keep the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        installation = Installation(home / "data", "--test-identities", "--name", "CHU Fictif")
        snds_gateway("generate", "--stays", "120", "--seed", "1", "--to", str(home / "bundles"))
        key = str(installation.data_dir / "credentials" / f"{FINESS}.key")
        with installation.serving():
            snds_gateway("push", str(home / "bundles"), "--url", installation.url, "--key-file", key, check=False)
            installation.wait_idle()
        with running_workbench(installation.data_dir) as url:
            browser = Browser(url, width=SIZE[0], height=SIZE[1])
            try:
                browser.enter(installation.key())
                _bench(browser)
                _pages(browser)
            finally:
                browser.close()


def _bench(browser: Browser) -> None:
    browser.choose("[data-testid=example]", EXAMPLES["r5"][0][0])
    browser.click("[data-testid=line]")
    browser.picture(IMAGES / "workbench-check.png")
    browser.choose("[data-testid=example]", EXAMPLES["units"][0][0])
    browser.wait(lambda: browser.text("[data-testid=verdict]") == "serait accepté")
    browser.tab("Pseudonymisation")
    browser.one(".wb-gone")
    browser.picture(IMAGES / "workbench-leaves.png")
    browser.tab("Tables")
    browser.one("[data-testid=stay]")
    browser.picture(IMAGES / "workbench-rows.png")


def _pages(browser: Browser) -> None:
    browser.go("/workbench/quality")
    browser.wait(lambda: browser.all("table"))
    browser.picture(IMAGES / "workbench-quality.png")
    browser.go("/workbench/flow")
    browser.wait(lambda: browser.text("[data-testid=balance]"))
    browser.picture(IMAGES / "workbench-flow.png")
    browser.go("/workbench/profiles")
    browser.wait(lambda: browser.all(".wb-node"))
    browser.picture(IMAGES / "workbench-profiles.png")


if __name__ == "__main__":
    main()
