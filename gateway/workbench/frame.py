"""What every page has: title, navigation, language, light and dark, the way out; keyboard and screen readers first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui

from gateway.workbench.sessions import Session
from gateway.workbench.words import say

PAGES = (
    ("page-bench", "/workbench"),
    ("page-profiles", "/workbench/profiles"),
    ("page-quality", "/workbench/quality"),
    ("page-flow", "/workbench/flow"),
    ("page-tables", "/workbench/tables"),
)
LOOK_S = 20.0
CSS = """
:root { --wb-blue: #14508c; --wb-red: #b3261e; --wb-amber: #8a5200; --wb-grey: #5f6368 }
body.body--dark { --wb-blue: #9cc7f5; --wb-red: #f2b8b5; --wb-amber: #f5c26b; --wb-grey: #b0b4b8 }
.nicegui-content { padding: .75rem; max-width: 110rem; margin: 0 auto }
.wb-gone { text-decoration: line-through; color: var(--wb-red) }
.wb-plain { color: #1d1d1d } body.body--dark .wb-plain { color: #f0f0f0 }
.wb-changed { color: var(--wb-amber) } .wb-kept { color: inherit } .wb-dim { color: var(--wb-grey) }
.wb-error { color: var(--wb-red) } .wb-warning { color: var(--wb-amber) } .wb-note { color: var(--wb-blue) }
.wb-line { background: #ffe08a80 } .wb-cols { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1rem }
@media (min-width: 1000px) { .wb-cols { grid-template-columns: minmax(0, 5fr) minmax(0, 6fr) } }
.wb-issue { border-left: .25rem solid currentColor; padding: .3rem .6rem; width: 100%; text-align: left }
.q-table td, .q-table th { white-space: normal; max-width: 22rem; overflow-wrap: anywhere; vertical-align: top }
.q-table td { min-width: 5rem }
.wb-path { display: block; min-width: 11rem; font-family: monospace;
  font-size: .75rem; overflow-wrap: anywhere }
a:focus-visible, button:focus-visible { outline: 3px solid var(--wb-amber); outline-offset: 2px }
.wb-nav a { color: #fff; padding: .4rem .6rem; text-decoration: none }
.wb-nav a[aria-current] { border-bottom: 2px solid }
.nicegui-html h1 { font-size: 1.2rem; line-height: 1.5rem; margin: 0; font-weight: 500 }
.nicegui-html h2 { font-size: 1.05rem; line-height: 1.4rem; margin: .5rem 0 .2rem; font-weight: 500 }
.q-uploader__list { display: none } .wb-editor { height: max(20rem, calc(100vh - 17rem)); border: 1px solid #8888 }
body.body--dark .q-btn--flat, body.body--dark main a { --q-primary: #9cc7f5; color: var(--wb-blue) }
.q-field--focused .q-field__label, .q-tab--active { color: inherit !important }
body.body--dark .q-table__bottom, body.body--dark .q-field__label { color: #d0d4d8 }
.wb-demands { color: #3c4043 } body.body--dark .wb-demands { color: #d0d4d8 }
.wb-node { overflow-wrap: anywhere } .wb-node > * { margin-right: .6rem }
.wb-demands { margin: 0; padding-left: 1.2rem; list-style: disc; font-size: .85rem; overflow-wrap: anywhere }
.q-field__label, .q-table__bottom, .q-uploader__subtitle { color: #4a4f55 }
.q-uploader__header, .q-uploader__header .q-uploader__subtitle { background: #14508c; color: #fff }
"""
# What the components leave out: a name for the button of the uploader, and the keyboard for what scrolls.
REPAIRS = """
<script>
const mend = () => {{
  document.querySelectorAll('.q-uploader__input:not([aria-label])')
    .forEach(one => one.setAttribute('aria-label', '{upload}'));
  document.querySelectorAll('.q-uploader a[role=button]').forEach(one => one.removeAttribute('role'));
  document.querySelectorAll('.cm-content:not([aria-label])')
    .forEach(one => one.setAttribute('aria-label', '{editor}'));
  document.querySelectorAll('.q-tree[role]').forEach(one => one.removeAttribute('role'));
  document.querySelectorAll('.q-tree__node-header[role=treeitem]').forEach(one =>
    one.hasAttribute('aria-expanded') ? one.setAttribute('role', 'button') : one.removeAttribute('role'));
  document.querySelectorAll('.cm-scroller, .q-table__middle').forEach(one => one.setAttribute('tabindex', '0'));
}};
new MutationObserver(mend).observe(document.documentElement, {{childList: true, subtree: true}}); mend();
</script>
"""


@contextmanager
def frame(session: Session, here: str) -> Iterator[None]:
    """Draw the header; the page's own content goes inside."""
    language = session.language
    ui.add_css(CSS)
    ui.page_title(f"{say(here, language)} — {say('title', language)}")
    ui.run_javascript(f"document.documentElement.lang = '{language}'")
    ui.colors(primary="#14508c")
    ui.add_body_html(REPAIRS.format(upload=say("drop", language), editor=say("editor", language)))
    dark = ui.dark_mode(None)
    with ui.header().classes("items-center gap-4 py-1").style("background: #14508c; color: #fff"):
        ui.html(f"<h1>{say('title', language)}</h1>", sanitize=False).classes("nicegui-html")
        with ui.element("nav").classes("wb-nav row").props(f'aria-label="{say("nav", language)}"'):
            for key, path in PAGES:
                link = ui.link(say(key, language), path)
                if key == here:
                    link.props('aria-current="page"')
        ui.space()
        ui.label(session.contract.name or session.contract.finess)
        ui.button(say("other-language", language), on_click=lambda: _switch(session)).props("flat color=white no-caps")
        ui.button(icon="contrast", on_click=lambda: dark.set_value(not dark.value)).props(
            f'flat round color=white aria-label="{say("dark", language)}"'
        )
        ui.button(say("leave", language), on_click=_leave).props("flat color=white no-caps")
    ui.timer(LOOK_S, lambda: _leave() if session.idle() else None)
    with ui.element("main").classes("w-full"):
        yield


def _switch(session: Session) -> None:
    session.language = "en" if session.language == "fr" else "fr"
    ui.navigate.reload()


def _leave() -> None:
    ui.run_javascript("fetch('/workbench/logout', {method: 'POST'}).then(() => location.assign('/workbench/login'))")
