"""uvicorn's HTTP/1.1 protocol with bounds of our own: on headers, on the time they take, on connections.

What is not HTTP, too long or too slow gets an OperationOutcome and a closed connection; nothing of it is quoted.
Promise: P20.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fhir_profiles.errors import Busy, Malformed, PipelineError
from fhir_profiles.issues import issue
from gateway.outcomes import refusal

HEADERS_WITHIN_S = 10.0
LAST_WITHIN_S = 2.0
HEADER_BYTES = 64 * 1024
CONNECTIONS = 1000
CONNECTION = "connection"
FRAMING = (b"content-length", b"transfer-encoding")


class BoundedHttp(HttpToolsProtocol):
    """One connection of a worker."""

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401 — uvicorn's own signature
        super().__init__(*args, **named)
        self._late: asyncio.TimerHandle | None = None
        self._in_headers = True
        self._header_bytes = 0
        self._replaying = False
        self._rest: asyncio.Event | None = None
        self._rest_bytes = 0
        self._is_last = False
        self._body_left: int | None = None  # None: chunked, only the parser knows where it ends

    def discard_rest(self, most: int) -> asyncio.Event:
        """Throw the rest of the body away as it comes, without waking anybody.

        The event says that it has ended, or that more than `most` bytes of it came.
        """
        self._rest, self._rest_bytes = asyncio.Event(), most
        if not self.cycle.more_body or self.transport.is_closing():
            self._rest.set()
        else:
            self.flow.resume_reading()
        return self._rest

    def on_body(self, body: bytes) -> None:
        """Hand a part of the body over, or throw it away."""
        if self._body_left is not None:
            self._body_left -= len(body)
        if self._rest is None:
            super().on_body(body)
        else:
            self._thrown_away(self._rest, len(body))

    def _thrown_away(self, rest: asyncio.Event, size: int) -> None:
        self._rest_bytes -= size
        if self._rest_bytes < 0 or (self._body_left is not None and self._body_left <= 0):
            rest.set()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for headers."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            self._refuse(Busy("saturated"))
            return
        self._wait_for_headers()

    def shutdown(self) -> None:
        """End: at once when the connection is idle, after an answer when a request is on its way, or may be."""
        if self._in_headers and (self.cycle is None or self._header_bytes) and not self.transport.is_closing():
            self._is_last = True
            self._headers_came()
            self._wait_for_headers(LAST_WITHIN_S)
        else:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._headers_came()
        if self._rest is not None:
            self._rest.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and refuse headers without end."""
        if self._rest is not None and self._body_left is not None:  # the connection ends with it: nothing to parse
            self._body_left -= len(data)
            self._thrown_away(self._rest, len(data))
            return
        if self._in_headers:
            self._header_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._refuse(Malformed(issue("http-malformed")))
            return
        if self._in_headers and self._header_bytes > HEADER_BYTES and not self.transport.is_closing():
            self._refuse(Malformed(issue("headers-too-large", limit=str(HEADER_BYTES))))

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_without_upgrade(data[upgrade.args[0] :])

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Read the body that follows an `Upgrade` with a parser that has not seen one.

        Java's HTTP client asks for h2c on its first request; a server may ignore that (RFC 9110 §7.8), but the parser
        takes all that follows for another protocol and would drop the body.
        """
        framing = [name + b": " + value for name, value in self.headers if name in FRAMING]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._replaying = True
        self.parser.feed_data(b"\r\n".join([b"POST / HTTP/1.1", *framing, b"", b""]))
        self._replaying = False
        self._feed(rest)

    def on_url(self, url: bytes) -> None:
        """Keep the address."""
        if not self._replaying:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        if not self._replaying:
            super().on_header(name, value)

    def on_message_complete(self) -> None:
        """End the body, unless an `Upgrade` made the parser stop before it."""
        if not self.parser.should_upgrade():
            super().on_message_complete()
            if self._rest is not None:
                self._rest.set()

    def on_message_begin(self) -> None:
        """Begin to wait for the headers of the next request."""
        if self._replaying:
            return
        super().on_message_begin()
        self._rest = None
        self.scope["state"][CONNECTION] = weakref.ref(self)  # a cycle would keep every closed connection for seconds
        if not self._in_headers:
            self._header_bytes = 0
            self._wait_for_headers()

    def on_headers_complete(self) -> None:
        """Hand the request over; from here on the body's own deadline counts."""
        if self._replaying:
            return
        self._headers_came()
        self._body_left = next((int(value) for name, value in self.headers if name == b"content-length"), None)
        super().on_headers_complete()
        if self._is_last:
            self.cycle.keep_alive = False

    def _wait_for_headers(self, seconds: float | None = None) -> None:
        self._in_headers = True
        self._late = self.loop.call_later(HEADERS_WITHIN_S if seconds is None else seconds, self._close)

    def _headers_came(self) -> None:
        self._in_headers = False
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, error: PipelineError) -> None:
        """Answer without an application, and close. In the middle of an answer only closing is left."""
        if self.cycle is None or self.cycle.response_complete:
            answer = refusal(error, "fr")
            head = [f"HTTP/1.1 {answer.status.real} {answer.status.name.replace('_', ' ').title()}"]  # type: ignore[attr-defined]
            head += [f"{name}: {value}" for name, value in answer.headers.items()]
            head += [f"Content-Length: {len(answer.body)}", "Connection: close", "", ""]
            self.transport.write("\r\n".join(head).encode() + answer.body)
        self.transport.close()
