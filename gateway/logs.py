"""structlog as JSON lines on stderr: closed words, counts and our own request ids; never an identity, at any level.

Libraries' own records are kept out: their texts and tracebacks may quote what they were given.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from types import TracebackType
from typing import TextIO, cast

import orjson
import structlog

QUIET = (
    "uvicorn", "uvicorn.error", "uvicorn.access", "asyncio", "kafka", "fastapi", "concurrent.futures", "nicegui",
    "engineio.server", "socketio.server",
)  # fmt: skip


def configure(level: str, *, process: str) -> None:
    """Set logging up for this process."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=lambda value, **_: orjson.dumps(value).decode()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=_stderr()),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    root = logging.getLogger()
    root.handlers = [_Structured()]
    root.setLevel(number)
    for name in QUIET:
        library = logging.getLogger(name)
        library.handlers = []
        library.propagate = False
        library.disabled = True


def _stderr() -> TextIO:
    try:
        return cast("TextIO", _Unfailing(sys.stderr.fileno()))
    except io.UnsupportedOperation:  # a test reads what is said
        return sys.stderr


def logger() -> structlog.typing.FilteringBoundLogger:
    """Return the logger of this process."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return bound


def place_of(traceback: TracebackType | None) -> str:
    """Return where an exception was raised: module and line, never a value."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return "?"
    return f"{traceback.tb_frame.f_globals.get('__name__', '?')}:{traceback.tb_lineno}"


class _Unfailing:
    """Standard error, whose full disk is no failure of who writes to it: lost lines are counted and told afterwards.

    Without it a log on a full disk would make every answer a 500 and end the supervisor.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lost = 0

    def write(self, text: str) -> None:
        """Write a line past any buffer, or count it; a line that the disk cut is ended before the next one."""
        told = f'\n{{"event":"log-lines-lost","lines":{self._lost},"level":"error"}}\n' if self._lost else ""
        content = (told + text).encode()
        try:
            whole = os.write(self._descriptor, content) == len(content)
        except OSError:
            whole = False
        self._lost = 0 if whole else self._lost + 1

    def flush(self) -> None:
        """Nothing waits."""


class _Structured(logging.Handler):
    """Our own packages' stdlib records (streaming, fhir_profiles) as JSON; a traceback is cut to its place."""

    def emit(self, record: logging.LogRecord) -> None:
        facts: dict[str, str] = {"logger": record.name}
        if record.exc_info and record.exc_info[0] is not None:
            facts |= {"kind": record.exc_info[0].__name__, "place": place_of(record.exc_info[2])}
        logger().log(record.levelno, record.getMessage(), **facts)
