"""structlog as JSON lines on stderr: closed words, counts and our own request ids; never an identity, at any level.

Libraries' own records are kept out: their texts and tracebacks may quote what they were given.
"""

from __future__ import annotations

import logging
import sys
from types import TracebackType

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
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
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


class _Structured(logging.Handler):
    """Our own packages' stdlib records (streaming, fhir_profiles) as JSON; a traceback is cut to its place."""

    def emit(self, record: logging.LogRecord) -> None:
        facts: dict[str, str] = {"logger": record.name}
        if record.exc_info and record.exc_info[0] is not None:
            facts |= {"kind": record.exc_info[0].__name__, "place": place_of(record.exc_info[2])}
        logger().log(record.levelno, record.getMessage(), **facts)
