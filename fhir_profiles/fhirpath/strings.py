"""FHIRPath functions on strings (§5.6). Patterns run on RE2, in linear time, or not at all."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import re2

from fhir_profiles.fhirpath.errors import Unevaluable, Unknown
from fhir_profiles.fhirpath.nodes import Collection, has_value, integer_of, text_of

LONGEST = 1 << 22
_JSON_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)


def _texts(*collections: Collection) -> list[str] | None:
    """Return the strings of several arguments; None when one is empty."""
    found = [text_of(one) for one in collections]
    return None if None in found else [one for one in found if one is not None]


def _apply(function: Callable[..., Any], *collections: Collection) -> Collection:
    found = _texts(*collections)
    return [] if found is None else [function(*found)]


def length(c: Collection) -> Collection:
    """Return the number of characters."""
    return _apply(len, c)


def index_of(c: Collection, part: Collection) -> Collection:
    """Return where a part starts, -1 when it is not there."""
    return _apply(str.find, c, part)


def last_index_of(c: Collection, part: Collection) -> Collection:
    """Return where the last such part starts."""
    return _apply(str.rfind, c, part)


def substring(c: Collection, start: Collection, size: Collection | None = None) -> Collection:
    """Return the part from `start` of at most `size` characters."""
    text, first = text_of(c), integer_of(start)
    if text is None or first is None or not 0 <= first < len(text):
        return []
    number = None if size is None else integer_of(size)
    return [text[first:] if number is None else text[first : first + max(number, 0)]]


def starts_with(c: Collection, part: Collection) -> Collection:
    """Say whether the string starts with a part."""
    return _apply(str.startswith, c, part)


def ends_with(c: Collection, part: Collection) -> Collection:
    """Say whether the string ends with a part."""
    return _apply(str.endswith, c, part)


def contains(c: Collection, part: Collection) -> Collection:
    """Say whether the string holds a part."""
    return _apply(str.__contains__, c, part)


def upper(c: Collection) -> Collection:
    """Return the string in upper case."""
    return _apply(str.upper, c)


def lower(c: Collection) -> Collection:
    """Return the string in lower case."""
    return _apply(str.lower, c)


def trim(c: Collection) -> Collection:
    """Return the string without white space at its ends."""
    return _apply(str.strip, c)


def replace(c: Collection, old: Collection, new: Collection) -> Collection:
    """Replace every occurrence."""
    return _apply(_replaced, c, old, new)


def _replaced(text: str, old: str, new: str) -> str:
    if (len(text) + 1) * len(new) > LONGEST:
        raise Unevaluable("a string that would grow without measure")
    return text.replace(old, new)


def to_chars(c: Collection) -> Collection:
    """Return the characters."""
    text = text_of(c)
    return list(text) if text else []


def split(c: Collection, separator: Collection) -> Collection:
    """Return the parts between separators."""
    found = _texts(c, separator)
    if found is None:
        return []
    return list(found[0].split(found[1])) if found[1] else list(found[0])


def join(c: Collection, separator: Collection | None = None) -> Collection:
    """Return the strings in one, with a separator between them."""
    between = "" if separator is None else text_of(separator)
    parts = [text_of([item]) or "" for item in c if has_value(item)]
    return [] if between is None or not parts else [between.join(parts)]


@lru_cache(maxsize=512)
def pattern(text: str) -> Any:  # noqa: ANN401 — a compiled pattern of re2, which has no types
    """Compile a pattern. Raises Unknown for what RE2 has not (look-around, back references)."""
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        return re2.compile(text, options)
    except re2.error:
        raise Unknown("a pattern that RE2 cannot run") from None


def matches(c: Collection, wanted: Collection) -> Collection:
    """Say whether a pattern is found in the string."""
    return _apply(lambda text, regex: pattern(regex).search(text) is not None, c, wanted)


def matches_full(c: Collection, wanted: Collection) -> Collection:
    """Say whether a pattern is the whole string."""
    return _apply(lambda text, regex: pattern(regex).fullmatch(text) is not None, c, wanted)


def replace_matches(c: Collection, wanted: Collection, new: Collection) -> Collection:
    """Replace what a pattern finds; `$1` or `\\1` is its first group."""

    def replaced(text: str, regex: str, by: str) -> str:
        if not regex:
            return text
        if (len(text) + 1) * (len(by) + 1) > LONGEST:
            raise Unevaluable("a string that would grow without measure")
        return str(pattern(regex).sub(_groups(by), text))

    return _apply(replaced, c, wanted, new)


def _groups(text: str) -> str:
    r"""Write the references to groups as RE2 wants them: `$1` → `\1`."""
    written = []
    position = 0
    while position < len(text):
        one, following = text[position], text[position + 1 : position + 2]
        if one == "$" and following.isdigit():
            written.append(f"\\{following}")
            position += 1
        else:
            written.append("\\\\" if one == "\\" and not following.isdigit() else one)
        position += 1
    return "".join(written)


def _url_base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


_ENCODERS: Mapping[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "urlbase64": _url_base64,
    "hex": lambda text: text.encode().hex(),
}
_DECODERS: Mapping[str, Callable[[str], bytes]] = {
    "base64": lambda text: base64.b64decode(text, validate=True),
    "urlbase64": lambda text: base64.urlsafe_b64decode(text),
    "hex": bytes.fromhex,
}


def encode(c: Collection, how: Collection) -> Collection:
    """Encode as base64, urlbase64 or hex."""
    found = _texts(c, how)
    return [] if found is None or found[1] not in _ENCODERS else [_ENCODERS[found[1]](found[0])]


def decode(c: Collection, how: Collection) -> Collection:
    """Decode base64, urlbase64 or hex; nothing when it is not that."""
    found = _texts(c, how)
    if found is None or found[1] not in _DECODERS:
        return []
    try:
        return [_DECODERS[found[1]](found[0]).decode()]
    except (binascii.Error, ValueError):
        return []


def escape(c: Collection, how: Collection) -> Collection:
    """Escape for html or json."""
    found = _texts(c, how)
    if found is None or found[1] not in ("html", "json"):
        return []
    return [html.escape(found[0]) if found[1] == "html" else json.dumps(found[0], ensure_ascii=False)[1:-1]]


def unescape(c: Collection, how: Collection) -> Collection:
    """Undo `escape`."""
    found = _texts(c, how)
    if found is None or found[1] not in ("html", "json"):
        return []
    if found[1] == "html":
        return [html.unescape(found[0])]
    return [_JSON_ESCAPE.sub(_unescaped, found[0])]


def _unescaped(match: re.Match[str]) -> str:
    escape = match[1]
    if len(escape) == 5:
        return chr(int(escape[1:], 16))
    return {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}.get(escape, escape)
