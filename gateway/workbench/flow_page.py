"""`/workbench/flow` (scope `operate`): the accounts, whether they close, dead letters without an identity, replay."""

from __future__ import annotations

from fastapi import Request
from nicegui import run, ui

from fhir_profiles.errors import PipelineError
from fhir_profiles.issues import Language
from gateway.cli.acts import record
from gateway.cli.dead_letters import opened_state
from gateway.cli.rights import opened_register
from gateway.table_rules import table_rules
from gateway.workbench.desk import Desk
from gateway.workbench.frame import frame
from gateway.workbench.grids import grid
from gateway.workbench.words import say
from streaming import dead_letter
from streaming.accounts import Status, by_hospital, status
from streaming.replay import replay

SHOWN = 500
EVERY_S = 2.0
NAMES = (
    "received", "published", "refused", "suppressed", "events", "applied", "duplicates", "dead_letters", "lag",
    "superseded",
)  # fmt: skip


def flow_page(request: Request, desk: Desk) -> None:
    """Draw the page; figures are read again every two seconds."""
    session = desk.session(request)
    language = session.language
    with frame(session, "page-flow"):
        if "operate" not in session.scopes:
            ui.label(say("needs-operate", language)).props('role="alert"')
            return
        balance = ui.label("").props('role="status" data-testid=balance')
        accounts = ui.column().classes("w-full")

        def refresh() -> None:
            now = status(desk.data_dir)
            balance.text = say("closes" if closes(now) else "does-not-close", language)
            accounts.clear()
            with accounts:
                _accounts(now, language)

        refresh()
        ui.timer(EVERY_S, refresh)
        _hospitals(desk, language)
        letters = ui.column().classes("w-full")
        _letters(desk, letters, language)
        _acts(desk, language)


def closes(now: Status) -> bool:
    """Say whether every entry and every event is accounted for."""
    entries = now.received == now.published + now.refused + now.suppressed
    return entries and now.events == now.applied + now.duplicates + now.dead_letters + now.lag


def _accounts(now: Status, language: Language) -> None:
    stays = now.stays
    rows = [(name, getattr(now, name)) for name in NAMES]
    rows += [(f"stays: {name}", getattr(stays, name)) for name in ("open", "written", "quarantined", "suppressed")]
    heads = (("account", say("account", language)), ("number", say("number", language)))
    grid(heads, rows, language=language, page=0)


def _hospitals(desk: Desk, language: Language) -> None:
    heads = (("hospital", say("hospital", language)), *((name, name) for name in NAMES[:4]))
    rows = (
        (one.finess, one.received, one.published, one.refused, one.suppressed) for one in by_hospital(desk.data_dir)
    )
    grid(heads, rows, title=say("hospital", language), language=language)


def _acts(desk: Desk, language: Language) -> None:
    """Rights acts by number: neither a person nor a key of one is shown."""
    try:
        with opened_register(desk.data_dir) as (register, _):
            acts = sorted(register.acts().by_id.values(), key=lambda act: act.begun)
    except PipelineError:
        acts = []
    heads = (("id", "Id"), ("kind", say("kind", language)), ("hospital", say("hospital", language)),
             ("begun", say("begun", language)), ("ended", say("ended", language)))  # fmt: skip
    rows = [(one.id, one.kind, one.finess, one.begun, one.ended) for one in acts]
    grid(heads, rows, title=say("receipts", language), language=language)


def _letters(desk: Desk, place: ui.column, language: Language) -> None:
    place.clear()
    try:
        with opened_state(desk.data_dir) as state:
            found = dead_letter.letters(state.connection, code=None, key=None, most=SHOWN)
    except PipelineError:
        found = []

    async def again() -> None:
        def work() -> int:
            rules = table_rules(desk.data_dir)
            with opened_state(desk.data_dir) as state:
                done = replay(state, rules=rules, code=None, key=None)
            record(desk.data_dir, "deadletter replay", applied=done.applied, kept=done.kept)
            return done.applied

        ui.notify(f"{say('replayed', language)}: {await run.io_bound(work)}")
        _letters(desk, place, language)

    with place:
        heads = (("partition", "Partition"), ("offset", "Offset"), ("code", "Code"), ("stage", say("reason", language)))
        rows = [(one.record.partition, one.record.offset, one.code, one.stage) for one in found]
        grid(heads, rows, title=say("dead-letters", language), language=language)
        if found:
            ui.button(say("replay", language), on_click=again).props("no-caps")
