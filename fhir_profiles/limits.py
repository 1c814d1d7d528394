"""The limits of one request body: bytes, entries, nesting, string length (Promise: P20).

Frozen values of the settings; `json_document.py` and `bundle.py` apply them. Each has its own refusal code.
"""

from __future__ import annotations

from dataclasses import dataclass

DEEPEST = 128  # the engine recurses over the elements: more would meet Python's own limit


@dataclass(frozen=True, slots=True)
class Limits:
    """What one body may hold. Each value itself is still accepted; one more is refused with 413.

    `depth` counts nested objects and arrays, the outermost one included; `string_bytes` the UTF-8 bytes of one
    JSON string after unescaping.
    """

    body_bytes: int = 10 * 1024 * 1024
    entries: int = 1000
    depth: int = 64
    string_bytes: int = 1024 * 1024

    def __post_init__(self) -> None:
        if min(self.body_bytes, self.entries, self.depth, self.string_bytes) < 1 or self.depth > DEEPEST:
            raise ValueError(f"limits are positive, and depth is {DEEPEST} at most")
