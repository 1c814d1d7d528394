"""`/workbench`: an editor on the left; issues, what leaves, and rows on the right, in step.

The document lives in this page's memory and goes with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from nicegui import run, ui
from nicegui.events import MultiUploadEventArguments

from fhir_profiles.validator import FrenchProfiles
from gateway.workbench import bench_views as views
from gateway.workbench.analysis import Analysis, analyse, bench_of
from gateway.workbench.desk import Desk
from gateway.workbench.examples import EXAMPLES, example
from gateway.workbench.folder import show_folder
from gateway.workbench.frame import frame
from gateway.workbench.sessions import Session
from gateway.workbench.words import say

EDITABLE_BYTES = 2 * 1024 * 1024
EXCERPT = 20_000
MOST_FILES = 1000
LARGEST_FILE = 16 * 1024 * 1024
CHOICES: tuple[FrenchProfiles, ...] = ("enforce", "report", "declared")
CURSOR = """
const view = getElement({element}).editor; const at = view.state.doc.line({line});
view.dispatch({{selection: {{anchor: at.from}}, scrollIntoView: true}}); view.focus();
"""


def bench_page(request: Request, desk: Desk) -> None:
    """Draw the page."""
    session = desk.session(request)
    with frame(session, "page-bench"):
        _Bench(desk, session).draw()


@dataclass(slots=True, repr=False)
class _Bench:
    desk: Desk
    session: Session
    content: bytes = b""
    french_profiles: FrenchProfiles = "enforce"
    profile: str = ""
    editor: Any = None
    note: Any = None
    panels: dict[str, Any] = field(default_factory=dict)
    files: Any = None
    tabs: Any = None

    def draw(self) -> None:
        """Draw the two sides."""
        language = self.session.language
        self.french_profiles = self.session.contract.french_profiles
        with ui.element("div").classes("wb-cols w-full"):
            with ui.element("section").props(f'aria-label="{say("editor", language)}"'):
                self._controls()
                self.note = ui.label("").classes("wb-dim").props('role="status"')
                self.editor = ui.codemirror(
                    "",
                    language="JSON",
                    theme="githubLight",
                    indent="  ",
                    on_change=lambda event: self._edited(str(event.value)),
                ).classes("w-full wb-editor")
            with ui.element("section"):
                with ui.tabs().props("dense no-caps align=left") as tabs:
                    for key in views.TABS:
                        ui.tab(key, label=say(key, language))
                self.tabs = (
                    ui.tab_panels(tabs, value=views.TABS[0], animated=False).classes("w-full").props("keep-alive")
                )
                with self.tabs:
                    for key in views.TABS:
                        with ui.tab_panel(key).classes("p-0"):
                            self.panels[key] = ui.column().classes("w-full gap-2")
                for panel in self.panels.values():
                    with panel:
                        ui.label(say("nothing-yet", language)).classes("wb-dim")

    def _controls(self) -> None:
        language = self.session.language
        with ui.row().classes("w-full items-end gap-2"):
            names = {name: words[0 if language == "fr" else 1] for name, (words, _) in EXAMPLES.items()}
            ui.select(names, label=say("example", language), on_change=lambda event: self._start(event.value)).classes(
                "min-w-48"
            ).props("dense data-testid=example")
            ui.select(
                {one: say(one, language) for one in CHOICES},
                value=self.french_profiles,
                label=say("french-profiles", language),
                on_change=lambda event: self._choose(event.value),
            ).classes("min-w-40").props("dense")
            ui.input(say("profile", language), on_change=lambda event: self._name(event.value)).props("dense").classes(
                "min-w-48"
            )
            ui.button(say("check", language), on_click=self.check).props("no-caps data-testid=check")
        ui.upload(
            multiple=True,
            auto_upload=True,
            max_files=MOST_FILES,
            max_file_size=LARGEST_FILE,
            label=say("drop", language),
            on_multi_upload=self._dropped,
        ).props('accept=".json,.ndjson,.jsonl" flat bordered').classes("w-full")
        self.files = ui.column().classes("w-full")

    def _choose(self, value: FrenchProfiles) -> None:
        self.french_profiles = value

    def _name(self, value: str) -> None:
        self.profile = value.strip()

    def _edited(self, text: str) -> None:
        """What the reader typed becomes the document; an excerpt of a large file does not."""
        if len(self.content) <= EDITABLE_BYTES:
            self.content = text.encode()

    async def _start(self, name: str) -> None:
        await self.open(example(name, self.session.contract.finess).encode())

    async def _dropped(self, event: MultiUploadEventArguments) -> None:
        documents = [(file.name, await file.read()) for file in event.files]
        if len(documents) == 1 and not documents[0][0].endswith((".ndjson", ".jsonl")):
            await self.open(documents[0][1])
            return
        with self.files:
            await show_folder(documents, self.analysed, opened=self.open, language=self.session.language)

    async def open(self, content: bytes) -> None:
        """Put a document in the editor and check it."""
        self.content = content
        large = len(content) > EDITABLE_BYTES
        self.editor.value = content[: EXCERPT if large else None].decode("utf-8", "replace")
        self.editor.decorations = []
        self.editor.reveal_line(1)
        self.note.text = say("too-large-to-edit", self.session.language) if large else ""
        self.content = content
        await self.check()

    def analysed(self, content: bytes) -> Analysis:
        """Run the line on one document, with keys that end with the call. Called in a thread."""
        bench = bench_of(self.session.contract, self.desk.yardstick, self.french_profiles)
        profiles = (self.profile,) if self.profile else ()
        return analyse(content, bench, language=self.session.language, profiles=profiles)

    async def check(self) -> None:
        """Check what the editor holds and draw the three views."""
        if not self.content.strip():
            return
        content = self.content
        analysis = await run.io_bound(self.analysed, content)
        if analysis is None:
            return
        check, leaving, rows = (self.panels[key] for key in views.TABS)
        language = self.session.language
        for panel in self.panels.values():
            panel.clear()
        with check:
            views.check_view(analysis, language=language, go=self.go)
        with rows:
            show = views.rows_view(analysis, content, language=language, go=self.go)

        def forward(column: str) -> None:
            self.tabs.value = views.TABS[2]
            show(column)

        with leaving:
            views.leaving_view(analysis, content, language=language, go=self.go, forward=forward)

    def go(self, line: int | None) -> None:
        """Put the cursor on a line and mark it."""
        if line is None or len(self.content) > EDITABLE_BYTES:
            return
        self.editor.decorations = [{"kind": "line", "line": line, "class": "wb-line"}]
        self.editor.reveal_line(line)
        ui.run_javascript(CURSOR.format(element=self.editor.id, line=line))
