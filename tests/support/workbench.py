"""A workbench and a real Chromium, as a person uses them: the command as a process, the system's browser."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.support.installation import COMMAND, FINESS, _environment, free_port

AXE = Path(__file__).parent / "browser" / "node_modules" / "axe-core" / "axe.min.js"
WAIT_S = 300
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--lang=fr",
    "--disable-dev-shm-usage",  # a machine of containers gives 64 MB there, and a page without room for it crashes
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--force-device-scale-factor=1",
)  # fmt: skip
# What the driver says when the page that it looks at is being replaced by the next one.
LEAVING = (
    "does not belong to the document",
    "aborted by navigation",
    "Cannot find context",
    "no such execution context",
)
MOVING = """
const ends = one => one.playState === 'running' && one.effect?.getTiming().iterations !== Infinity;
return document.querySelector('[class*="-enter-active"], [class*="-leave-active"]') !== null
  || document.getAnimations().some(ends)
"""


def missing() -> str | None:
    """Say what is missing to drive a browser, or None."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return f"no {program}: make test-servers"
    return None


@contextmanager
def running_workbench(data_dir: Path) -> Iterator[str]:
    """Run the workbench of an installation; end it by its id."""
    port = free_port()
    log = data_dir.parent / "workbench.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*COMMAND, "workbench", "--data-dir", str(data_dir), "--port", str(port)],
            stdout=out, stderr=out, env=_environment(), start_new_session=True,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + WAIT_S
        while not _answers(url):
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.05)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/workbench/login", timeout=10).status_code == 200
    except httpx.TransportError:
        return False


class Browser:
    """One window. Everything waits for what it asks for; nothing sleeps for a while."""

    def __init__(self, url: str, *, width: int = 1440, height: int = 1000, dark: bool = False) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        for one in OPTIONS:
            options.add_argument(one)
        options.add_experimental_option("prefs", {"intl.accept_languages": "fr,fr-FR"})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.url = url
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.driver.set_window_size(width, height)
        if dark:
            features = [{"name": "prefers-color-scheme", "value": "dark"}]
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def enter(self, key: str) -> None:
        """Pass the door."""
        self.driver.get(f"{self.url}/workbench/login")
        self.driver.find_element(By.ID, "key").send_keys(key)
        self.driver.find_element(By.TAG_NAME, "button").click()
        self.wait(lambda: self.all("nav a"))

    def go(self, path: str) -> None:
        self.driver.get(f"{self.url}{path}")
        self.wait(lambda: self.all("nav a"))

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        found: WebElement = self.wait(lambda: next(iter(self.all(selector)), None))
        return found

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Return what a condition gives once it is true; what is written anew while it looks is looked at again."""
        return WebDriverWait(self.driver, WAIT_S).until(lambda _: _unless_replaced(condition))

    def still(self) -> None:
        """Return once nothing moves or fades: a click would meet the neighbour, a colour would be half of itself."""
        self.wait(lambda: not self.driver.execute_script(MOVING))

    def press(self, find: Callable[[], WebElement | None]) -> None:
        """Click what is found, once: a click that the driver refuses (gone, covered, not yet there) was none."""

        def pressed() -> bool:
            found = find()
            if found is None:
                return False
            try:
                found.click()
            except (ElementClickInterceptedException, ElementNotInteractableException):
                return False
            return True

        self.still()
        self.wait(pressed)

    def click(self, selector: str) -> None:
        script = "const found = document.querySelector(arguments[0]); found?.click(); return found !== null"
        self.wait(lambda: self.driver.execute_script(script, selector))

    def text(self, selector: str) -> str:
        [found] = self.wait(lambda: [one.text for one in self.all(selector)[:1]])
        return str(found)

    def texts(self, selector: str) -> list[str]:
        """Return the words of all that there is of a kind, at one moment."""
        [found] = self.wait(lambda: [[one.text for one in self.all(selector)]])
        return list(found)

    def with_words(self, selector: str, right: Callable[[str], bool]) -> WebElement | None:
        """Return the first of a kind with the right words."""
        return next((one for one in self.all(selector) if right(one.text)), None)

    def choose(self, selector: str, label: str) -> None:
        """Open a select and take an option by its words."""
        self.driver.execute_script("window.scrollTo(0, 0)")
        self.press(lambda: next(iter(self.all(selector)), None))
        self.wait(lambda: self.with_words(".q-menu .q-item", lambda words: label in words))
        self.press(lambda: self.with_words(".q-menu .q-item", lambda words: label in words))
        self.wait(lambda: not self.all(".q-menu"))

    def tab(self, label: str) -> None:
        self.press(lambda: self.with_words(".q-tab", lambda words: words == label))

    def downloads_to(self, folder: Path) -> None:
        """Let the browser keep what the pages hand over."""
        behaviour = {"behavior": "allow", "downloadPath": str(folder)}
        self.driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)

    def downloaded(self, folder: Path, name: str) -> Path:
        """Wait for a file that a page hands over."""
        found: Path = self.wait(lambda: next(folder.glob(name), None))
        return found

    def cursor_line(self) -> int:
        script = """
        const vue = getElement(document.querySelector('.nicegui-codemirror').id.slice(1)).editor;
        return vue.state.doc.lineAt(vue.state.selection.main.head).number"""
        line: int = self.driver.execute_script(script)
        return line

    def requested(self) -> set[str]:
        """Return scheme and host of every request that the pages made."""
        found = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.add("/".join(message["params"]["request"]["url"].split("/")[:3]))
        return {one for one in found if one.startswith("http")}

    def complaints(self) -> list[str]:
        """Return what the console calls severe."""
        return [one["message"] for one in self.driver.get_log("browser") if one["level"] == "SEVERE"]

    def violations(self) -> list[str]:
        """Return what axe-core finds serious or critical (WCAG 2.1 A and AA) in a page that stands still."""
        self.still()
        self.driver.execute_script(AXE.read_text(encoding="utf-8"))
        script = """
        const done = arguments[arguments.length - 1];
        axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}).then(found => done(found.violations))"""
        self.driver.set_script_timeout(WAIT_S)
        found = self.driver.execute_async_script(script)
        return [
            f"{one['id']}: {one['nodes'][0]['target']} {one['nodes'][0]['html'][:160]}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]

    def picture(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(path))

    def close(self) -> None:
        self.driver.quit()


def _unless_replaced(condition: Callable[[], Any]) -> Any:
    """Ask; nothing while the page, or what the condition looks at, is being replaced."""
    try:
        return condition()
    except StaleElementReferenceException:
        return None
    except WebDriverException as failure:
        if any(words in str(failure.msg) for words in LEAVING):
            return None
        raise


__all__ = ["AXE", "FINESS", "Browser", "missing", "running_workbench"]
