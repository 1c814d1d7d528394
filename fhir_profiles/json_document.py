"""Bytes → one JSON value and its canonical bytes, under the limits, or one refusal. Quotes nothing of the bytes.

Refused: not JSON, not UTF-8, NaN, lone surrogates, duplicate keys, too deep, too long. Cost beside
`orjson.loads`: one sorted dump (the canonical bytes are needed anyway) and two counts. Promise: P20.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import orjson

from fhir_profiles.errors import Fault, Malformed, Refused, TooLarge
from fhir_profiles.issues import Issue, issue
from fhir_profiles.limits import Limits
from fhir_profiles.positions import first_duplicate

_UNESCAPED_QUOTE = re.compile(rb'[^\\]"')
_ESCAPED_COLONS = (rb"\u003a", rb"\u003A")
_NOT_FINITE = ("NaN", "Inf", "-Inf", "nan", "inf")
_SEARCHED_BYTES = 1024 * 1024


def read(content: bytes, limits: Limits) -> tuple[Any, bytes]:
    """Return the JSON value and its canonical bytes (sorted keys). Raises Malformed or TooLarge."""
    if len(content) > limits.body_bytes:
        raise TooLarge(issue("body-too-large", limit=str(limits.body_bytes)))
    root = _loads(content, limits)
    canonical = _canonical(root, limits.depth)
    if canonical is None:
        raise TooLarge(issue("too-deep", limit=str(limits.depth)))
    if _has_duplicate_key(content, canonical):
        raise Malformed(_duplicate(content))
    if len(content) > limits.string_bytes and _may_hold_long_string(content, limits.string_bytes):
        _refuse_long_string(root, limits.string_bytes)
    return root, canonical


def _loads(content: bytes, limits: Limits) -> Any:  # noqa: ANN401 — any JSON value
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        refusal = _refusal(content, error, limits)
    # Raised outside the handler: as its context the decoder's error would carry the whole document.
    raise refusal


def _refusal(content: bytes, error: orjson.JSONDecodeError, limits: Limits) -> Refused:
    """Say why the decoder refused; its own message and document stay here."""
    if content.startswith(b"\xef\xbb\xbf"):
        return Malformed(issue("utf8-bom"))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as broken:
        line = content.count(b"\n", 0, broken.start) + 1
        return Malformed(_at("utf8-invalid", line=line, column=None))
    said = error.msg.lower()
    if "depth" in said or "recursion" in said:
        return TooLarge(issue("too-deep", limit=str(limits.depth)))
    if not text.strip():
        return Malformed(issue("body-empty"))
    line, column = error.lineno, error.colno
    around = text[max(0, error.pos - 1) : error.pos + 4]
    if "infinity" in said or around[1:].startswith(_NOT_FINITE) or around.startswith(_NOT_FINITE):
        return Malformed(_at("json-number", line=line, column=column))
    if "surrogate" in said:
        return Malformed(_at("json-surrogate", line=line, column=column))
    if "after document" in said:
        return Malformed(_at("json-trailing", line=line, column=column))
    return Malformed(_at("json-invalid", line=line, column=column))


def _at(code: str, *, line: int | None, column: int | None) -> Issue:
    found = issue(code)
    return Issue(found.code, found.expression, found.severity, line=line, column=column)


def _canonical(root: Any, depth: int) -> bytes | None:  # noqa: ANN401 — any JSON value
    """Return the sorted dump, or None when the value is nested deeper than `depth`.

    The encoder refuses what is nested deeper than its own fixed limit, so wrapping the value in the difference of
    the two limits makes it measure the depth for nothing.
    """
    margin = max(0, _encoder_depth() - depth)
    for _ in range(margin):
        root = [root]
    try:
        return orjson.dumps(root, option=orjson.OPT_SORT_KEYS)[margin : -margin or None]
    except orjson.JSONEncodeError:
        return None


@cache
def _encoder_depth() -> int:
    """Measure how deep orjson encodes (254 in the versions that we know)."""
    nested: list[Any] = []
    for depth in range(1, 1000):
        try:
            orjson.dumps(nested)
        except orjson.JSONEncodeError:
            return depth - 1
        nested = [nested]
    raise Fault("encoder-without-depth-limit")


def _has_duplicate_key(content: bytes, canonical: bytes) -> bool:
    """Compare the colons sent with those left: a key that was overwritten took its colon with it.

    Strings keep theirs, unless one was sent as an escape: only then every object is looked at.
    """
    if b"\\u003" in content and any(one in content for one in _ESCAPED_COLONS):
        return _overwrites(content)
    return _colons(content) != _colons(canonical)


def _colons(content: bytes) -> int:
    """Count them in two thirds of the time that `count` takes for one in 25 bytes."""
    return len(content) - len(content.translate(None, b":"))


def _overwrites(content: bytes) -> bool:
    found = False

    def hook(pairs: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or len({key for key, _ in pairs}) != len(pairs)

    json.loads(content, object_pairs_hook=hook, parse_int=str, parse_float=str, parse_constant=str)
    return found


def _duplicate(content: bytes) -> Issue:
    """Make the issue, with its place where the body is small enough to look for it."""
    found = first_duplicate(content) if len(content) <= _SEARCHED_BYTES else None
    if found is None:
        return issue("json-duplicate-key")
    return _at("json-duplicate-key", line=found[0], column=found[1])


def _may_hold_long_string(content: bytes, limit: int) -> bool:
    """Look for half a limit of bytes without a string boundary: every string above the limit has such a stretch."""
    step = max(1, limit // 2)
    return any(_UNESCAPED_QUOTE.search(content, start, start + step) is None for start in range(0, len(content), step))


def _refuse_long_string(root: Any, limit: int) -> None:  # noqa: ANN401 — any JSON value
    entries = root.get("entry") if isinstance(root, dict) else None
    places = [(f"Bundle.entry[{i}]", one) for i, one in enumerate(entries)] if isinstance(entries, list) else []
    for expression, node in [*places, ("", root)]:
        if any(len(one) > limit or len(one.encode()) > limit for one in _strings(node) if len(one) * 4 > limit):
            raise TooLarge(issue("string-too-long", expression, limit=str(limit)))


def _strings(root: Any) -> Iterator[str]:  # noqa: ANN401 — any JSON value
    """Yield every string, keys included."""
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            yield from node
            stack += node.values()
        elif isinstance(node, list):
            stack += node
