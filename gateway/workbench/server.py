"""`snds-gateway workbench`: a process of its own, so that what hospitals post never waits for a page.

Opens the installation read-only, loads the profiles once, serves pages on loopback. Nothing that a reader drops is
logged, stored or sent anywhere; every asset comes from this process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from nicegui import app as pages
from nicegui import ui
from starlette.formparsers import MultiPartParser

from gateway import house, logs
from gateway.access import Access
from gateway.settings import load_settings
from gateway.workbench.bench_page import bench_page
from gateway.workbench.desk import Desk
from gateway.workbench.explorer_page import explorer_page
from gateway.workbench.flow_page import flow_page
from gateway.workbench.guard import Guard
from gateway.workbench.login import HOME, add_login
from gateway.workbench.profiles_page import profiles_page
from gateway.workbench.quality_page import quality_page
from gateway.workbench.rules_page import rules_page
from gateway.workbench.sessions import Sessions

SPOOL_BYTES = 64 * 1024 * 1024
# A browser or a machine that is busy for so long keeps its page and the document in it; it is asked for a sign of life
# every 24 s and has 12 s to give it (NiceGUI's ratios). Its own 3 s would take the page away after two of them.
BACK_WITHIN_S = 30.0
PAGES: tuple[tuple[str, Callable[[Request, Desk], None]], ...] = (
    (HOME, bench_page),
    (f"{HOME}/profiles", profiles_page),
    (f"{HOME}/quality", quality_page),
    (f"{HOME}/flow", flow_page),
    (f"{HOME}/tables", explorer_page),
    (f"{HOME}/rules", rules_page),
)


def keep_quiet(level: str) -> None:
    """Tell what goes wrong in a page by its kind and place: the text of an exception may quote what was dropped."""
    logs.configure(level, process="workbench")
    pages.on_exception(_told)


def _told(error: Exception) -> None:
    logs.logger().error("fault", kind=type(error).__name__, place=logs.place_of(error.__traceback__))


def make_app(data_dir: Path) -> FastAPI:
    """Return the application. Raises Misconfigured."""
    MultiPartParser.spool_max_size = SPOOL_BYTES  # what is dropped stays in memory, never in a temporary file
    settings = load_settings(data_dir, os.environ)
    keep_quiet(settings.log_level)
    loaded = house.load(settings)
    sessions = Sessions(Access(data_dir))
    desk = Desk(data_dir, loaded.yardstick, sessions)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    add_login(app, sessions)
    for path, draw in PAGES:
        _add(path, draw, desk)
    ui.run_with(
        app,
        title="snds-gateway",
        language="fr",
        reconnect_timeout=BACK_WITHIN_S,
        show_welcome_message=False,
        gzip_middleware_factory=None,
    )
    pages.config.socket_io_js_transports = ["websocket"]
    app.add_middleware(Guard, sessions=sessions)
    return app


def _add(path: str, draw: Callable[[Request, Desk], None], desk: Desk) -> None:
    def page(request: Request) -> None:
        draw(request, desk)

    ui.page(path)(page)


def run(data_dir: Path, *, host: str, port: int) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    uvicorn.run(make_app(data_dir), host=host, port=port, access_log=False, log_config=None, server_header=False)
    return 0
