"""uvicorn's HTTP/1.1 protocol with bounds of our own: on headers, on the time they take, on connections.

What is not HTTP, too long or too slow gets an OperationOutcome and a closed connection; nothing of it is quoted.
Promise: P20.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fhir_profiles.errors import Busy, Malformed, PipelineError
from fhir_profiles.issues import issue
from gateway.outcomes import refusal

HEADERS_WITHIN_S = 10.0
HEADER_BYTES = 64 * 1024
CONNECTIONS = 1000


class BoundedHttp(HttpToolsProtocol):
    """One connection of a worker."""

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401 — uvicorn's own signature
        super().__init__(*args, **named)
        self._late: asyncio.TimerHandle | None = None
        self._in_headers = True
        self._header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for headers."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            self._refuse(Busy("saturated"))
            return
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._headers_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and refuse headers without end."""
        if self._in_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._header_bytes > HEADER_BYTES and not self.transport.is_closing():
            self._refuse(Malformed(issue("headers-too-large", limit=str(HEADER_BYTES))))

    def on_message_begin(self) -> None:
        """Begin to wait for the headers of the next request."""
        super().on_message_begin()
        if not self._in_headers:
            self._header_bytes = 0
            self._wait_for_headers()

    def on_headers_complete(self) -> None:
        """Hand the request over; from here on the body's own deadline counts."""
        self._headers_came()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        del msg
        self._refuse(Malformed(issue("http-malformed")))

    def _wait_for_headers(self) -> None:
        self._in_headers = True
        self._late = self.loop.call_later(HEADERS_WITHIN_S, self._close)

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
