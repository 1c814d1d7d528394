"""A TCP proxy before a real server, in a process of its own: late, silent, or swallowing acknowledgements.

Bounded: frames or chunks in flight are limited, it ends with its parent's pipe. `python -m tests.support.tcp_proxy`
obeys one JSON line at a time: {"to": PORT}, {"delay": SECONDS}, {"hole": true}, {"swallow": N}.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
PRODUCE = 0
IN_FLIGHT = 64
CHUNK = 64 * 1024
LARGEST_FRAME = 128 * 1024 * 1024


class TcpProxy:
    """The proxy as a test holds it. `frames`: what passes are Kafka's frames, so that acknowledgements are known."""

    def __init__(self, *, frames: bool = False) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.tcp_proxy", *(["frames"] if frames else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT,
            text=True,
        )
        self.port = int(self._answer())

    def to(self, port: int) -> None:
        """Say where the server listens."""
        self._tell(to=port)

    def delay(self, seconds: float) -> None:
        """Let everything arrive this much later, in each direction; 0 ends it."""
        self._tell(delay=seconds)

    def swallow(self, acknowledgements: int) -> None:
        """Let the next answers to a produce request never arrive: the server has stored, the connection is cut."""
        self._tell(swallow=acknowledgements)

    def swallowed(self) -> int:
        """Return how many were swallowed so far."""
        return int(self._tell(count="swallowed"))

    def hole(self, *, on: bool) -> None:
        """Pass nothing on: connections are accepted and stay silent."""
        self._tell(hole=on)

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.terminate()
        self._process.wait()

    def _tell(self, **what: object) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@dataclass
class State:
    """What is done to what passes."""

    frames: bool
    to: int = 0
    delay: float = 0.0
    swallow: int = 0
    swallowed: int = 0
    flows: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Link:
    """One client and its connection to the server; `produced` are the produce requests that wait for an answer."""

    produced: set[bytes] = field(default_factory=set)


async def piece(reader: asyncio.StreamReader, state: State) -> bytes:
    """Return the next frame or chunk, empty at the end."""
    if not state.frames:
        return await reader.read(CHUNK)
    try:
        head = await reader.readexactly(4)
        size = int.from_bytes(head, "big")
        return head + await reader.readexactly(size) if 0 < size < LARGEST_FRAME else b""
    except asyncio.IncompleteReadError:
        return b""


def swallows(answer: bytes, link: Link, state: State) -> bool:
    """Say whether this answer of the server is an acknowledgement that must not arrive."""
    correlation = answer[4:8]
    if correlation not in link.produced:
        return False
    link.produced.discard(correlation)
    if state.swallow == 0:
        return False
    state.swallow -= 1
    state.swallowed += 1
    return True


async def pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, link: Link, state: State, answers: bool
) -> None:
    """Pass on what one side says until it ends, or until an acknowledgement is swallowed."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(IN_FLIGHT)

    async def deliver() -> None:
        while True:
            due, content = await waiting.get()
            if not content:
                return
            await asyncio.sleep(max(due - loop.time(), 0))
            await state.flows.wait()
            writer.write(content)
            await writer.drain()

    delivering = asyncio.create_task(deliver())
    try:
        while not delivering.done():
            content = await piece(reader, state)
            if state.frames and content:
                if answers and swallows(content, link, state):
                    return
                if not answers and int.from_bytes(content[4:6], "big") == PRODUCE:
                    link.produced.add(content[8:12])
            await waiting.put((loop.time() + state.delay, content))
            if not content:
                await delivering
                return
    finally:
        delivering.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await delivering


async def serve(client: asyncio.StreamReader, back: asyncio.StreamWriter, state: State) -> None:
    """Join one client to the server; when one of the two directions ends, both do."""
    try:
        server, forth = await asyncio.open_connection("127.0.0.1", state.to)
    except OSError:
        back.close()
        return
    link = Link()
    directions = [
        asyncio.create_task(pump(client, forth, link=link, state=state, answers=False)),
        asyncio.create_task(pump(server, back, link=link, state=state, answers=True)),
    ]
    try:
        _, open_ones = await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        for one in open_ones:
            one.cancel()
        await asyncio.gather(*directions, return_exceptions=True)
    finally:
        forth.close()
        back.close()


def obey(order: dict[str, Any], state: State) -> object:
    """Do what one line says; return what to answer."""
    if "hole" in order:
        (state.flows.clear if order["hole"] else state.flows.set)()
    for name in ("to", "delay", "swallow"):
        if name in order:
            setattr(state, name, order[name])
    return state.swallowed if "count" in order else "done"


async def main() -> None:
    """Serve until the orders end."""
    state = State(frames="frames" in sys.argv[1:])
    state.flows.set()
    listener = await asyncio.start_server(lambda r, w: serve(r, w, state), "127.0.0.1", 0)
    print(listener.sockets[0].getsockname()[1], flush=True)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        print(obey(json.loads(line), state), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
