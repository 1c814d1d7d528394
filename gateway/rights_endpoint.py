"""`/rights/…`: oppositions, their withdrawal, erasures, receipts. Answers an id, a receipt, or an OperationOutcome."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import orjson

from fhir_profiles.errors import Invalid, Unavailable
from fhir_profiles.issues import issue
from gateway import rights
from gateway.auth import Caller
from gateway.decision import Sender
from gateway.exchange import Exchange
from gateway.intake import body_of
from gateway.outcomes import Answer
from gateway.rights import GROUNDS, KAFKA_RETENTION_DAYS, SCOPE, Asked
from gateway.settings import Settings
from gateway.worker import Worker
from streaming import sqlite
from streaming.accounts import STATE
from streaming.erasure import Effect, effect
from streaming.opposition import PLATFORM, Act, Kind

JSON = "application/json"
PLATFORM_SCOPE = "rights-platform"


async def oppose(exchange: Exchange, worker: Worker) -> Answer:
    """Take an opposition in."""
    return await _begin(exchange, worker, "opposition")


async def erase(exchange: Exchange, worker: Worker) -> Answer:
    """Take an erasure in."""
    return await _begin(exchange, worker, "erasure")


async def limit(exchange: Exchange, worker: Worker) -> Answer:
    """Take a limitation in: rows are kept, and kept from readers."""
    return await _begin(exchange, worker, "limitation")


async def withdraw(exchange: Exchange, worker: Worker) -> Answer:
    """End an act."""
    caller = worker.identify(exchange, scope=SCOPE)
    _check_ready(worker)
    number = exchange.target.resource_id or ""
    act = await worker.consult(lambda register: rights.withdraw(number, _perimeters(caller), register))
    exchange.receipt = act.id
    return Answer(HTTPStatus.NO_CONTENT)


async def show(exchange: Exchange, worker: Worker) -> Answer:
    """Show the signed receipt of an act."""
    caller = worker.identify(exchange, scope=SCOPE)
    number = exchange.target.resource_id or ""
    act = await worker.consult(lambda register: rights.find(number, _perimeters(caller), register))
    exchange.receipt = act.id
    shown = rights.receipt(
        act,
        await asyncio.to_thread(effect_of, act, worker.settings),
        retention_days=retention_days(worker.settings),
        ledger=worker.ledger,
    )
    return Answer(HTTPStatus.OK, orjson.dumps(shown), {"Content-Type": JSON})


async def _begin(exchange: Exchange, worker: Worker, kind: Kind) -> Answer:
    caller = worker.identify(exchange, scope=SCOPE)
    asked = _asked(exchange, caller, kind)
    _check_ready(worker)
    keys = worker.keys.get(caller.finess)
    if keys is None:
        raise Unavailable("not-ready")
    sender = Sender(caller.contract, caller.source, keys)
    with worker.admission.enter(caller.finess) as place:
        content = await body_of(exchange, worker, place)
        known = await worker.compute(
            exchange,
            lambda: rights.keys_of_person(
                content, sender=sender, yardstick=worker.yardstick, consent=kind == "opposition"
            ),
        )
        act = await worker.consult(lambda register: rights.begin(asked, known, register))
    exchange.receipt = act.id
    headers = {"Content-Type": JSON, "Location": f"/rights/receipts/{act.id}"}
    return Answer(HTTPStatus.CREATED, orjson.dumps({"id": act.id}), headers)


def _check_ready(worker: Worker) -> None:
    """An act that the register could not keep is answered at once: a broker that is away is known already."""
    if not worker.publisher.ready() or worker.health.missing():
        raise Unavailable("not-ready")


def _asked(exchange: Exchange, caller: Caller, kind: Kind) -> Asked:
    ground = exchange.query.get("ground", [GROUNDS[0]])[-1]
    if ground not in GROUNDS:
        raise Invalid(issue("ground-unknown", known=", ".join(GROUNDS)))
    if exchange.query.get("perimeter", [""])[-1] == "platform":
        caller.require(PLATFORM_SCOPE)
        return Asked(kind, PLATFORM, ground)
    return Asked(kind, caller.finess, ground)


def _perimeters(caller: Caller) -> tuple[str, ...]:
    return (caller.finess, PLATFORM) if PLATFORM_SCOPE in caller.scopes else (caller.finess,)


def retention_days(settings: Settings) -> int:
    """Return how many days the log keeps events."""
    return settings.log_retention_days if settings.broker == "embedded" else KAFKA_RETENTION_DAYS


def effect_of(act: Act, settings: Settings) -> Effect | None:
    """Return what an act removed so far; None where the state is out of this process's sight (server form)."""
    try:
        connection = sqlite.connect_read_only(settings.data_dir / STATE)
    except Unavailable:
        return None
    try:
        return effect(connection, act.id)
    finally:
        connection.close()
