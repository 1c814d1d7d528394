"""How a worker ends: whoever reached it is still answered, whoever comes later is refused at once.

The kernel completes connections until the listener is closed and then resets those that nobody took. So the listener is
first shut to newcomers, then whoever waits is let in, then it is closed. Promise: P11.
"""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import uvicorn

SO_ATTACH_FILTER = 26  # Linux, socket(7)
TURNS = 3  # of the loop: an accepted connection becomes a task, the task a transport, the transport calls its protocol
NOTHING_PASSES = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF_RET | BPF_K: keep 0 bytes of every packet


class LastGuests(uvicorn.Server):
    """uvicorn's server, which lets in who waits before it closes its listeners."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take the last connections, then end as uvicorn does.

        All that wait are taken before the loop runs again: it would take the next one itself, and lose it when the
        listener is closed before that one has its protocol. What the loop took just before gets its own meanwhile.
        """
        guests: list[socket.socket] = []
        for listener in sockets or ():
            shut(listener)
            guests += waiting(listener)
        for guest in guests:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, guest)
        for _ in range(TURNS):
            await asyncio.sleep(0)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        make: type[asyncio.Protocol] = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[call-arg]


def shut(listener: socket.socket) -> None:
    """Let the kernel drop the first packet of newcomers: they try again a second later and are refused, or served."""
    program = ctypes.create_string_buffer(NOTHING_PASSES, len(NOTHING_PASSES))
    with suppress(OSError):  # a system without it: who comes in this very moment is reset
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))


def waiting(listener: socket.socket) -> Iterator[socket.socket]:
    """Yield the connections that nobody has taken yet."""
    while True:
        try:
            guest, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        guest.setblocking(False)  # noqa: FBT003 — the library's own
        yield guest
