"""`/workbench/flow` (scope `operate`): the accounts, whether they close, dead letters without an identity, replay."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from fastapi import Request
from nicegui import run, ui
from nicegui.events import GenericEventArguments

from fhir_profiles.errors import PipelineError, Unavailable
from fhir_profiles.issues import Language
from gateway.cli.acts import record
from gateway.cli.dead_letters import opened_state
from gateway.cli.rights import opened_register, receipt_of
from gateway.connections import kafka_connection, postgres_connection
from gateway.latency import Latency, latencies
from gateway.settings import load_settings
from gateway.table_rules import table_rules
from gateway.workbench.desk import Desk
from gateway.workbench.frame import frame
from gateway.workbench.grids import grid
from gateway.workbench.words import say
from streaming import dead_letter
from streaming.accounts import Status, by_hospital, status, stays_by_hospital
from streaming.broker import Counts
from streaming.replay import replay

SHOWN = 500
EVERY_S = 2.0
NAMES = (
    "received", "published", "refused", "suppressed", "events", "applied", "duplicates", "dead_letters", "lag",
    "superseded",
)  # fmt: skip
STAYS = ("open", "written", "quarantined")


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

        async def refresh() -> None:
            seen = await run.io_bound(_seen, desk.data_dir)
            balance.text = say("away" if seen is None else "closes" if closes(seen.now) else "does-not-close", language)
            if seen is not None:
                accounts.clear()
                with accounts:
                    _accounts(seen.now, language)
                    _hospitals(seen, language)

        ui.timer(EVERY_S, refresh)
        letters = ui.column().classes("w-full")
        _letters(desk, letters, language)
        _acts(desk, language)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One look at the installation."""

    now: Status
    counts: Sequence[Counts]
    stays: Mapping[str, Mapping[str, int]]
    waited: Sequence[Latency]


def _seen(data_dir: Path) -> _Seen | None:
    """Look, in a thread; None while a server is away."""
    settings = load_settings(data_dir, os.environ)
    kafka = kafka_connection(settings) if settings.broker == "kafka" else None
    postgres = postgres_connection(settings)
    try:
        return _Seen(
            status(data_dir, kafka=kafka, postgres=postgres),
            by_hospital(data_dir),
            stays_by_hospital(data_dir, postgres=postgres),
            latencies(data_dir),
        )
    except Unavailable:
        return None


def closes(now: Status) -> bool:
    """Say whether every entry and every event is accounted for."""
    entries = now.received == now.published + now.refused + now.suppressed
    return entries and now.events == now.applied + now.duplicates + now.dead_letters + now.lag


def _accounts(now: Status, language: Language) -> None:
    stays = now.stays
    rows = [(_named(name, language), getattr(now, name)) for name in NAMES]
    rows += [(say(f"stays-{name}", language), getattr(stays, name)) for name in (*STAYS, "suppressed")]
    heads = (("account", say("account", language)), ("number", say("number", language)))
    grid(heads, rows, language=language, page=0)


def _named(account: str, language: Language) -> str:
    return say("entries-refused" if account == "refused" else account, language)


def _hospitals(seen: _Seen, language: Language) -> None:
    """What each hospital sent, what became of its stays, and how long it waited for its answers."""
    heads = (("hospital", say("hospital", language)), *((name, _named(name, language)) for name in NAMES[:4]),
             *((name, say(f"stays-{name}", language)) for name in STAYS), ("median", say("median", language)),
             ("p95", say("p95", language)))  # fmt: skip
    counts = {one.finess: one for one in seen.counts}
    waited = {one.finess: one for one in seen.waited}
    rows = []
    for finess in sorted({*counts, *waited, *seen.stays}):
        stays, latency = seen.stays.get(finess, {}), waited.get(finess)
        rows.append(
            (
                finess,
                *(getattr(counts[finess], name) if finess in counts else None for name in NAMES[:4]),
                *(stays.get(name, 0) for name in STAYS),
                latency and latency.median,
                latency and latency.p95,
            )
        )
    grid(heads, rows, title=say("hospitals", language), language=language)


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
    table = grid(heads, rows, title=say("receipts", language), language=language)

    async def hand_over(event: GenericEventArguments) -> None:
        number = event.args[1]["id"]
        shown = await run.io_bound(receipt_of, desk.data_dir, number)
        ui.download.content(orjson.dumps(shown, option=orjson.OPT_INDENT_2), f"receipt-{number}.json")

    table.on("rowClick", hand_over)
    if acts:
        ui.label(say("hand-over", language)).classes("wb-dim")


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
