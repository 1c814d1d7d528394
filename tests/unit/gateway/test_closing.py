"""The end of a worker: who waits is let in, who comes later is refused, and no request goes unanswered."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from gateway import protocol
from gateway.closing import LastGuests, shut, waiting
from tests.support.ports import free_port
from tests.support.raw_http import read_reply, request
from tests.unit.gateway.test_protocol import bounded, connected

GET = request("GET", "/")


def test_a_shut_listener_gives_up_who_waits_and_lets_nobody_else_in() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))  # nobody else takes it when it is closed
        listener.listen()
        listener.setblocking(False)
        address = listener.getsockname()
        guests = [socket.create_connection(address, timeout=60) for _ in range(3)]

        shut(listener)
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.2)
        taken = list(waiting(listener))

        assert [one.getpeername() for one in taken] == [one.getsockname() for one in guests]
        for one in (*guests, *taken):
            one.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=60)


async def test_all_who_wait_at_the_end_are_answered_however_many() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        config = bounded()
        config.load()
        server = LastGuests(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        guests = [connected(listener.getsockname()[1]) for _ in range(5)]  # nothing has taken them yet
        for one in guests:
            one.sendall(GET)

        await server.shutdown(sockets=[listener])

        assert [(await asyncio.to_thread(read_reply, one)).status for one in guests] == [200] * 5
        for one in guests:
            one.close()


def test_a_connection_that_waited_or_had_said_nothing_yet_is_still_answered_and_then_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "LAST_WITHIN_S", 60.0)  # a crowded machine may let this thread wait for seconds
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        server = LastGuests(bounded())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        with connected(listener.getsockname()[1]) as early, connected(listener.getsockname()[1]) as idle:
            idle.sendall(GET)
            assert read_reply(idle).status == 200
            server.should_exit = True
            assert idle.recv(1) == b""  # it had its answer: nothing is on its way

            early.sendall(GET)
            reply = read_reply(early)

            assert (reply.status, reply.headers["connection"]) == (200, "close")
            assert early.recv(1) == b""
        thread.join(timeout=60)
        assert not thread.is_alive()
