"""Connections are bounded: in the time and the bytes of their headers, and in their number."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from gateway import protocol
from gateway.protocol import BoundedHttp
from tests.support.raw_http import read_reply, request

GET = request("GET", "/")


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 200."""
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


def bounded() -> uvicorn.Config:
    return uvicorn.Config(hello, http=BoundedHttp, ws="none", lifespan="off", log_config=None, access_log=False)


@contextmanager
def listening() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(bounded())
        thread = threading.Thread(target=asyncio.run, args=(server.serve([listener]),))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(timeout=60)


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


@pytest.mark.parametrize(
    "begun", [b"", b"GET", GET[:-2], GET + b"GET / HTT"], ids=["silent", "cut", "no end", "second"]
)
def test_headers_that_do_not_come_in_time_end_the_connection(monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(protocol, "HEADERS_WITHIN_S", 2.0)  # ours are sent by then on a crowded machine too
    with listening() as port, connected(port) as slow:
        slow.sendall(begun)
        received = b""
        while more := slow.recv(4096):
            received += more

        assert received.endswith(b"hello") == begun.startswith(GET)


def test_headers_that_come_in_time_may_come_in_pieces() -> None:
    with listening() as port, connected(port) as client:
        for start in range(0, len(GET), 7):
            client.sendall(GET[start : start + 7])
        assert read_reply(client).status == 200
        client.sendall(GET + GET)
        assert [read_reply(client).status for _ in range(1)] == [200]


def test_too_many_connections_are_told_so_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "CONNECTIONS", 2)
    with listening() as port, connected(port) as first, connected(port) as second:
        for one in (first, second):
            one.sendall(GET)
            assert read_reply(one).status == 200
        with connected(port) as third:
            reply = read_reply(third)
        first.sendall(GET)

        assert (reply.status, reply.codes) == (503, ["saturated"])
        assert read_reply(first).status == 200


def test_what_is_not_http_after_an_answer_is_told_and_closed() -> None:
    with listening() as port, connected(port) as client:
        client.sendall(GET)
        assert read_reply(client).status == 200
        client.sendall(b"nonsense\r\n\r\n")
        reply = read_reply(client)

        assert (reply.status, reply.codes) == (400, ["http-malformed"])
        assert client.recv(10) == b""
