"""The routes of DESIGN §8 and what surrounds each request: an id, one answer whatever happens, audit, log, metrics.

Bodies are raw streams: FastAPI never parses or echoes one. Never a 500 for an input; a bug of ours is logged by its
place. The audit line is on disk before the answer leaves. Promise: P2, P13, P22.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from fhir_profiles.errors import Fault, MethodNotAllowed, NotFound, PipelineError, Unauthenticated, Unavailable
from fhir_profiles.issues import issue
from gateway import dry_runs, intake, logs, rights_endpoint
from gateway.body import Gone
from gateway.exchange import Exchange, Target
from gateway.outcomes import Answer, language_of, refusal
from gateway.probes import live, metadata, metrics, ready
from gateway.replies import announces_body, chunks_of, discard_of, linger_bytes, reply
from gateway.routes import BASE, ROUTES, Route, allowed_methods, parameters_of
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
    "oppose": rights_endpoint.oppose,
    "erase": rights_endpoint.erase,
    "withdraw": rights_endpoint.withdraw,
    "receipt": rights_endpoint.show,
    "token": token,
    "smart": smart_configuration,
}


def make_app(worker: Callable[[], Worker]) -> FastAPI:
    """Return the application; `worker` gives what the process opened."""
    app = FastAPI(
        title="FHIR → SNDS gateway",
        version="1",
        description="Hospitals post FHIR R4. Answers are OperationOutcomes or response Bundles.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    for route in ROUTES:
        if route.path == BASE:  # some clients write the base with a slash
            app.add_route(f"{BASE}/", _endpoint(route, worker), methods=list(route.methods), include_in_schema=False)
        app.add_api_route(
            route.path,
            _endpoint(route, worker),
            methods=list(route.methods),
            name=route.name,
            openapi_extra=route.openapi(),
            response_class=Response,
            include_in_schema=route.public,
        )

    async def unrouted(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        route = Route("unrouted", "", (request.method,), "unrouted")
        return await _Served(route, worker(), _unrouted(error.status_code, request)).response(request)

    app.add_exception_handler(404, unrouted)
    app.add_exception_handler(405, unrouted)
    return app


def _endpoint(route: Route, worker: Callable[[], Worker]) -> Callable[[Request], Awaitable[Response]]:
    handler = HANDLERS[route.handler]

    async def endpoint(request: Request) -> Response:
        return await _Served(route, worker(), handler).response(request)

    return endpoint


def _unrouted(status: int, request: Request) -> Handler:
    """Answer an address or method that does not exist; below the FHIR base only to those who are known."""

    async def handler(exchange: Exchange, worker: Worker) -> Answer:
        allowed = allowed_methods(request.url.path)
        if request.method == "OPTIONS" and allowed:
            return Answer(204, b"", {"Allow": ", ".join((*allowed, "OPTIONS"))})
        if request.url.path.startswith(("/fhir", "/rights")):
            worker.identify(exchange)
        if status == 405 or allowed:
            raise MethodNotAllowed(issue("route-method", allowed=", ".join(allowed)))
        raise NotFound(issue("route-unknown"))

    return handler


class _Served:
    """One request being answered."""

    def __init__(self, route: Route, worker: Worker, handler: Handler) -> None:
        self._route = route
        self._worker = worker
        self._handler = handler
        self._started = time.perf_counter()

    async def response(self, request: Request) -> Response:
        exchange = _exchange(request, self._route)
        try:
            answer = await self._answer(exchange)
            if exchange.caller is not None:
                await self._worker.audit.keep(_audited(exchange, answer, time.perf_counter() - self._started))
        except PipelineError as error:
            answer = refusal(error, exchange.language)
        except Exception as error:  # noqa: BLE001 — without its audit line no answer leaves
            self._fault(exchange, error)
            answer = refusal(Fault("fault"), exchange.language)
        self._tell(exchange, answer)
        return _Reply(answer, exchange, request.scope)

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
        if self._route.quiet and answer.status < 500:
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


class _Reply(Response):
    """An answer as Starlette sends it."""

    def __init__(self, answer: Answer, exchange: Exchange, scope: Scope) -> None:
        self._answer = answer
        self._exchange = exchange
        self._scope = scope
        self._unread = not exchange.body_read and announces_body(scope)
        self.status_code = int(answer.status)
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await reply(
            self._answer,
            request_id=self._exchange.id,
            unread=discard_of(self._scope) if self._unread else None,
            most=linger_bytes(self._scope, known=self._exchange.caller is not None),
            send=send,
        )


def _exchange(request: Request, route: Route) -> Exchange:
    parameters = parameters_of(route, request.path_params)
    headers: dict[str, str] = {}
    for raw, value in request.scope["headers"]:
        name = raw.decode("latin-1")  # sent twice: both, by comma, as HTTP has it; two credentials are then none
        headers[name] = f"{headers[name]}, {value.decode('latin-1')}" if name in headers else value.decode("latin-1")
    return Exchange(
        id=secrets.token_hex(8),
        route=f"{request.method} {route.path}" if route.path else "unrouted",
        headers=headers,
        query=_query(request.scope["query_string"]),
        chunks=chunks_of(request.receive),
        received_at=datetime.now(UTC),
        language=language_of(headers.get("accept-language", "")),
        client=request.client.host if request.client else "",
        target=Target(*parameters),
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
    return line
