"""What a server refuses for a moment → asked again, as gateways, writers and their callers do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from fhir_profiles.errors import Unavailable

PATIENCE_S = 240.0
Answer = TypeVar("Answer")


def answered(ask: Callable[[], Answer]) -> Answer:
    """Return the first answer that is no refusal."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except Unavailable:
            if time.monotonic() > deadline:
                raise
