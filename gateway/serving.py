"""One worker process: an event loop, uvicorn on the shared socket, and the small chores of each second."""

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

from gateway import logs
from gateway.app import make_app
from gateway.house import House
from gateway.protocol import BoundedHttp
from gateway.server import hear_signals
from gateway.worker import Worker, opened

FINISH_WITHIN_S = 10
KEEP_ALIVE_S = 65
CHORES_S = 1.0
EACH_MINUTE = 60
COLLECT_EACH = 5
SWITCH_S = 0.001  # a large bundle at work in its thread gives way to the event loop this often


def serve_worker(house: House, listener: socket.socket, *, name: str) -> int:
    """Serve until SIGTERM; return the exit code."""
    logs.configure(house.settings.log_level, process=name)
    gc.disable()
    sys.setswitchinterval(SWITCH_S)
    holder: list[Worker] = []
    app = make_app(lambda: holder[0])

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        async with opened(house, process=f"{name}-{os.getpid()}") as worker:
            holder.append(worker)
            chores = asyncio.create_task(_chores(worker))
            yield
            worker.health.stopping = True
            chores.cancel()
            await worker.audit.keep_unauthenticated()

    app.router.lifespan_context = lifespan
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
    server = uvicorn.Server(config)
    for number in (
        signal.SIGTERM,
        signal.SIGINT,
    ):  # uvicorn takes them over; before and after that they are its own too
        signal.signal(number, server.handle_exit)
    hear_signals()
    server.run(sockets=[listener])
    return 0 if server.started else 1


async def _chores(worker: Worker) -> None:
    """Each second: contracts that changed, cyclic garbage, and once a minute the callers that nobody knew."""
    turn = 0
    while True:
        await asyncio.sleep(CHORES_S)
        turn += 1
        await asyncio.to_thread(worker.house.access.refresh)
        if turn % COLLECT_EACH == 0:
            gc.collect()
        if turn % EACH_MINUTE == 0:
            await worker.audit.keep_unauthenticated()
