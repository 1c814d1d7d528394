"""Canonical bytes of what leaves: sorted keys, UTF-8, one resource at a time (DESIGN §5). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orjson import OPT_SORT_KEYS, dumps


def encode(content: dict[str, Any]) -> bytes:
    """Return the canonical bytes of one resource: keys sorted."""
    return dumps(content, None, OPT_SORT_KEYS)


def collected(encoded: Sequence[bytes], stamp: str | None) -> bytes:
    """Return the canonical bytes of a collection of resources that are encoded already."""
    entries = b'},{"resource":'.join(encoded)
    dated = b'"timestamp":' + dumps(stamp) + b"," if stamp is not None else b""
    return b"".join(
        (b'{"entry":[{"resource":', entries, b'}],"resourceType":"Bundle",', dated, b'"type":"collection"}')
    )
