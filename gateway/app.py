"""The routes of DESIGN §8 and what surrounds each request: an id, one answer whatever happens, audit, log, metrics.

Bodies are raw streams: nothing parses or echoes one before its handler. Never a 500 for an input; a bug of ours is
logged by its place. The audit line is on disk before the answer leaves. Promise: P2, P13, P22.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI
from starlette.types import Lifespan, Receive, Scope, Send

from fhir_profiles.errors import Fault, MethodNotAllowed, NotFound, PipelineError, Unauthenticated, Unavailable
from fhir_profiles.issues import issue
from gateway import dry_runs, intake, logs, rights_endpoint
from gateway.body import Gone
from gateway.exchange import Exchange, Target
from gateway.outcomes import Answer, language_of, refusal
from gateway.probes import live, metadata, metrics, openapi, ready
from gateway.replies import announces_body, chunks_of, discard_of, linger_bytes, reply
from gateway.routes import BASE, Route, allowed_methods, parameters_of, route_of
from gateway.token_endpoint import smart_configuration, token
from gateway.worker import Worker

Handler = Callable[[Exchange, Worker], Awaitable[Answer]]
QUERY_FIELDS = 50
CLIENT_GONE = 499
UNKNOWN_CALLER = 401  # counted in metrics and audit: a line each would let anybody fill the disk
HANDLERS: Mapping[str, Handler] = {
    "take": intake.take,
    "validate": dry_runs.validate,
    "deidentify": dry_runs.deidentify,
    "metadata": metadata,
    "live": live,
    "ready": ready,
    "metrics": metrics,
    "openapi": openapi,
    "oppose": rights_endpoint.oppose,
    "erase": rights_endpoint.erase,
    "limit": rights_endpoint.limit,
    "withdraw": rights_endpoint.withdraw,
    "receipt": rights_endpoint.show,
    "token": token,
    "smart": smart_configuration,
}


def make_app(worker: Callable[[], Worker], *, lifespan: Lifespan[Any] | None = None) -> FastAPI:
    """Return the application; `worker` gives what the process opened, `lifespan` opens and closes it.

    Every address is taken by the table of `routes` and by its handler: FastAPI's layers for a route cost more than a
    refusal itself under a flood (55 µs, its shell alone 7).
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, lifespan=lifespan)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        route, parameters = route_of(scope["method"], scope["path"])
        handler = HANDLERS[route.handler] if route is not None else _unrouted(scope["method"], scope["path"])
        served = _Served(route or Route("unrouted", "", (scope["method"],), "unrouted"), worker(), handler)
        exchange = _exchange(scope, receive, served.route, parameters)
        await reply(
            await served.answer(exchange),
            request_id=exchange.id,
            unread=discard_of(scope) if announces_body(scope) and not exchange.body_read else None,
            most=linger_bytes(scope, known=exchange.caller is not None),
            send=send,
        )

    app.router.default = serve
    return app


def _unrouted(method: str, path: str) -> Handler:
    """Answer an address or method that does not exist; below the FHIR base only to those who are known."""

    async def handler(exchange: Exchange, worker: Worker) -> Answer:
        allowed = allowed_methods(path)
        if method == "OPTIONS" and allowed:
            return Answer(204, b"", {"Allow": ", ".join((*allowed, "OPTIONS"))})
        if path.startswith((BASE, "/rights")):
            worker.identify(exchange)
        if allowed:
            raise MethodNotAllowed(issue("route-method", allowed=", ".join(allowed)))
        raise NotFound(issue("route-unknown"))

    return handler


class _Served:
    """One request being answered."""

    def __init__(self, route: Route, worker: Worker, handler: Handler) -> None:
        self.route = route
        self._worker = worker
        self._handler = handler
        self._started = time.perf_counter()

    async def answer(self, exchange: Exchange) -> Answer:
        """Return what is told, once the audit line is on disk."""
        try:
            answer = await self._answer(exchange)
            if exchange.caller is not None:
                await self._worker.audit.keep(_audited(exchange, answer, time.perf_counter() - self._started))
        except PipelineError as error:
            answer = refusal(error, exchange.language)
        except asyncio.CancelledError:  # the stop takes no longer than promised: sending it again is safe
            answer = refusal(Unavailable("stopping"), exchange.language)
        except Exception as error:  # noqa: BLE001 — without its audit line no answer leaves
            self._fault(exchange, error)
            answer = refusal(Fault("fault"), exchange.language)
        self._tell(exchange, answer)
        return answer

    async def _answer(self, exchange: Exchange) -> Answer:
        """Every failure becomes an answer; what we did not foresee is told by its place, and nobody sees its text."""
        try:
            return await self._handler(exchange, self._worker)
        except Gone:  # nobody reads this answer; the audit and the log tell of it all the same
            return Answer(CLIENT_GONE, b"")
        except Unauthenticated as error:
            self._worker.unknown_caller()
            return refusal(error, exchange.language)
        except PipelineError as error:
            if isinstance(error, Fault):
                self._fault(exchange, error)
            return refusal(error, exchange.language)
        except asyncio.CancelledError:
            return refusal(Unavailable("stopping"), exchange.language)
        except Exception as error:  # noqa: BLE001 — the last frame before the wire
            self._fault(exchange, error)
            return refusal(Fault("fault"), exchange.language)

    def _fault(self, exchange: Exchange, error: Exception) -> None:
        self._worker.metrics.fault()
        logs.logger().error(
            "fault", request=exchange.id, kind=type(error).__name__, place=logs.place_of(error.__traceback__)
        )

    def _tell(self, exchange: Exchange, answer: Answer) -> None:
        seconds = time.perf_counter() - self._started
        self._worker.metrics.answered(exchange.route, answer.status, seconds=seconds, size=exchange.size)
        if self.route.quiet and answer.status < 500:
            return
        tell = logs.logger().debug if answer.status == UNKNOWN_CALLER else logs.logger().info
        tell(
            "request",
            request=exchange.id,
            route=exchange.route,
            status=int(answer.status),
            codes=answer.codes,
            hospital=exchange.caller.finess if exchange.caller else None,
            source=exchange.caller.source if exchange.caller else None,
            bytes=exchange.size,
            ms=round(seconds * 1000, 1),
        )


def _exchange(scope: Scope, receive: Receive, route: Route, parameters: Mapping[str, str]) -> Exchange:
    headers: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1")  # sent twice: both, by comma, as HTTP has it; two credentials are then none
        headers[name] = f"{headers[name]}, {value.decode('latin-1')}" if name in headers else value.decode("latin-1")
    client = scope.get("client")
    return Exchange(
        id=secrets.token_hex(8),
        route=f"{scope['method']} {route.path}" if route.path else "unrouted",
        headers=headers,
        query=_query(scope["query_string"]) if scope["query_string"] else {},
        chunks=chunks_of(receive),
        received_at=datetime.now(UTC),
        language=language_of(headers.get("accept-language", "")),
        client=client[0] if client else "",
        target=Target(*parameters_of(route, parameters)),
    )


def _query(query_string: bytes) -> dict[str, list[str]]:
    """Read the query; one with absurdly many fields says nothing."""
    try:
        return parse_qs(query_string.decode("latin-1"), max_num_fields=QUERY_FIELDS)
    except ValueError:
        return {}


def _audited(exchange: Exchange, answer: Answer, seconds: float) -> dict[str, Any]:
    """Return the audit line: who, which route, what became of it, and the way from event ids to the receipt."""
    assert exchange.caller is not None
    counts = exchange.counts
    line: dict[str, Any] = {
        "request": exchange.id,
        "hospital": exchange.caller.finess,
        "source": exchange.caller.source,
        "credential": exchange.caller.credential,
        "action": exchange.route,
        "status": int(answer.status),
        "codes": answer.codes,
        "bytes": exchange.size,
        "ms": round(seconds * 1000, 1),
    }
    if counts is not None:
        line["entries"] = [counts.received, counts.refused, counts.suppressed, counts.published]
    if exchange.receipt:
        line["receipt"] = exchange.receipt
    if exchange.events:
        line["events"] = exchange.events
    if exchange.acts:
        line["acts"] = exchange.acts
    return line
