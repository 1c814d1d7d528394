"""An `Answer` → bytes on the wire, with headers that every answer has.

An early refusal leaves a body unread: it is told first, then what still comes is thrown away for a moment (unread bytes
would make the kernel reset the connection, and the caller would never see the refusal), then the connection closes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.types import Receive, Scope, Send

from gateway.body import Gone
from gateway.outcomes import Answer
from gateway.protocol import CONNECTION, BoundedHttp

Discard = Callable[[int], asyncio.Event]
REQUEST_ID = "X-Request-Id"
EVERY_ANSWER = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
LINGER_S = 2.0
KNOWN_LINGER_BYTES = 10 * 1024 * 1024
UNKNOWN_LINGER_BYTES = 256 * 1024


async def chunks_of(receive: Receive) -> AsyncIterator[bytes]:
    """Yield the chunks of a request body. Raises Gone when the caller leaves first."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone("gone")
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body", False):
            return


async def reply(answer: Answer, *, request_id: str, unread: Discard | None, most: int, send: Send) -> None:
    """Send an answer; `unread` throws away the rest of a body that nobody will read, `most` of it."""
    headers = {**EVERY_ANSWER, **answer.headers, REQUEST_ID: request_id, "Content-Length": str(len(answer.body))}
    if unread is not None:
        headers["Connection"] = "close"
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": int(answer.status), "headers": raw})
    await send({"type": "http.response.body", "body": answer.body, "more_body": unread is not None})
    if unread is not None:
        if most:
            await _drained(unread(most))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drained(ended: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LINGER_S):
            await ended.wait()
    except TimeoutError:
        return


def discard_of(scope: Scope) -> Discard:
    """Return what throws the rest of a request's body away: its connection, while there is one."""
    connection: BoundedHttp | None = scope["state"][CONNECTION]()
    return connection.discard_rest if connection is not None else _nothing_left


def _nothing_left(most: int) -> asyncio.Event:
    del most
    ended = asyncio.Event()
    ended.set()
    return ended


def announces_body(scope: Scope) -> bool:
    """Say whether the headers announce a body."""
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") not in (b"0", b"")


def linger_bytes(scope: Scope, *, known: bool) -> int:
    """Return how much of an unread body is thrown away; none when the caller waits to be asked for it."""
    if dict(scope["headers"]).get(b"expect", b"").lower() == b"100-continue":
        return 0
    return KNOWN_LINGER_BYTES if known else UNKNOWN_LINGER_BYTES
