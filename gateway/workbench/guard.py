"""What every request to the workbench passes: a session, a strict content policy, no cache. Plain ASGI.

Inline scripts of the page framework get a nonce of the response; `unsafe-eval` stays, since its templates are compiled
in the browser (docs/decisions/0011-workbench.md). No address of another host is allowed. Never logs.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.workbench.sessions import Sessions

COOKIE = "snds_workbench"
LOGIN = "/workbench/login"
ACT = '42["event"'  # engine.io message, socket.io event, NiceGUI's name for what somebody did
OPEN = (LOGIN, "/_nicegui/")
POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
Headers = Iterable[tuple[bytes, bytes]]


def token_of(headers: Headers) -> str | None:
    """Return the session token that a request carries."""
    for name, value in headers:
        if name == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(COOKIE)
            except CookieError:
                return None
            return found.value if found else None
    return None


class Guard:
    """Refuses who has no session; adds the headers."""

    def __init__(self, app: ASGIApp, *, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        known = scope["path"].startswith(OPEN) or self._sessions.find(token_of(scope["headers"])) is not None
        if scope["type"] == "websocket":
            if known and _same_origin(scope["headers"]):
                await self._app(scope, _Awake(receive, self._sessions, token_of(scope["headers"])).receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
        elif known:
            await self._app(scope, receive, _Secured(send).send)
        else:
            await _to_login(send)


class _Awake:
    """What a reader does in a page keeps the session open, heartbeats do not; without one nothing is heard."""

    def __init__(self, receive: Receive, sessions: Sessions, token: str | None) -> None:
        self._receive = receive
        self._sessions = sessions
        self._token = token

    async def receive(self) -> Message:
        message = await self._receive()
        if str(message.get("text") or "").startswith(ACT) and self._sessions.find(self._token) is None:
            return {"type": "websocket.disconnect", "code": 1008}
        return message


class _Secured:
    """Adds the policy to a response, and its nonce to the scripts of a page."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._nonce = secrets.token_urlsafe(16)
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message["headers"], *HEADERS]
            headers.append((b"content-security-policy", POLICY.format(nonce=self._nonce).encode()))
            message = {**message, "headers": headers}
            if any(name == b"content-type" and value.startswith(b"text/html") for name, value in headers):
                self._start = message
                return
        if self._start is not None and message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if message.get("more_body"):
                return
            body = self._body.replace(b"<script", b'<script nonce="' + self._nonce.encode() + b'"')
            kept = [(name, value) for name, value in self._start["headers"] if name not in (b"content-length",)]
            headers = [*kept, (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
            await self._send({**self._start, "headers": headers})
            message = {"type": "http.response.body", "body": body}
        await self._send(message)


def _same_origin(headers: Headers) -> bool:
    """A page of another site must not talk through the reader's cookie."""
    found = dict(headers)
    origin, host = found.get(b"origin"), found.get(b"host")
    return origin is None or (host is not None and origin.partition(b"://")[2] == host)


async def _to_login(send: Send) -> None:
    await send({"type": "http.response.start", "status": 303, "headers": [(b"location", LOGIN.encode())]})
    await send({"type": "http.response.body", "body": b""})
