"""One worker process: an event loop, uvicorn on the shared socket, and its chores beside it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from gateway import chores, logs
from gateway.app import make_app
from gateway.closing import LastGuests
from gateway.house import House
from gateway.protocol import BoundedHttp
from gateway.server import hear_signals
from gateway.worker import Worker, opened

FINISH_WITHIN_S = 6  # with the two seconds of the log's own end: a stop takes less than ten (promise P11)
KEEP_ALIVE_S = 65
# Threads of log and audit get their turn this soon; with Python's own 5 ms they make a third fewer bundles a second.
SWITCH_S = 0.0002


def serve_worker(house: House, listener: socket.socket, *, name: str) -> int:
    """Serve until SIGTERM; return the exit code."""
    logs.configure(house.settings.log_level, process=name)
    gc.disable()
    sys.setswitchinterval(SWITCH_S)
    holder: list[Worker] = []

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        async with opened(house, process=f"{name}-{os.getpid()}") as worker:
            holder.append(worker)
            beside = asyncio.create_task(chores.forever(worker))
            yield
            worker.health.stopping = True
            beside.cancel()
            await chores.tried(chores.write_unknown_callers, worker)

    app = make_app(lambda: holder[0], lifespan=lifespan)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedHttp,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=FINISH_WITHIN_S,
    )
    server = LastGuests(config)
    # uvicorn takes them over; before and after that they are its own too
    signal.signal(signal.SIGTERM, server.handle_exit)
    signal.signal(signal.SIGINT, server.handle_exit)
    hear_signals()
    server.run(sockets=[listener])
    return 0 if server.started else 1
