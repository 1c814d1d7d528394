"""Canaries: tokens that hold one mark, every form in which a mark could leave, and the search for it (P13)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

MARK = "zqcnryxkw"
ESCAPES = ("%{:02x}", "\\u{:04x}", "\\x{:02x}", "&#x{:x};", "&#{};")
NUMBERED = re.compile(rb"zqcnryxkw([0-9]{6})", re.IGNORECASE)


class Tokens:
    """Numbered canaries that all hold the mark, in letters of both cases."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self) -> str:
        self.made.append(f"ZQcnrYxkw{len(self.made):06d}")
        return self.made[-1]


SPELLED = (Tokens()()[: len(MARK)], MARK, MARK.upper(), MARK.title())


@cache
def folded_forms() -> tuple[bytes, ...]:
    """Forms looked for whatever the case: as it is, hexadecimal, percent-encoded, escaped, UTF-16 and UTF-32."""
    found = [MARK[::-1].encode()]
    found += [MARK.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")]
    for spelled in SPELLED:
        octets = spelled.encode()
        found.append(octets.hex().encode())
        found += ["".join(form.format(one) for one in octets).encode() for form in ESCAPES]
    return tuple(dict.fromkeys(found))


@cache
def exact_forms() -> tuple[bytes, ...]:
    """Base64 at each alignment, both alphabets, of the mark in each case that a program could give it."""
    found = []
    for spelled in SPELLED:
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + spelled.encode()).decode().rstrip("=")
            inner = encoded[(0, 2, 3)[shift] : -1 if (len(spelled) + shift) % 3 else None]
            found += [inner.encode(), inner.replace("+", "-").replace("/", "_").encode()]
    return tuple(dict.fromkeys(found))


def found_in(outputs: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
    """Say in which outputs the mark stands, and in which form."""
    return [(name, form) for name, content in outputs.items() for form in _forms_in(content)]


def _forms_in(content: bytes) -> Iterator[bytes]:
    folded = content.lower()
    yield from (form for form in folded_forms() if form in folded)
    yield from (form for form in exact_forms() if form in content)


def tokens_in(contents: Iterable[bytes]) -> set[int]:
    """Which tokens, by number, stand in contents as they are or in base64 (attachments)."""
    found: set[int] = set()
    for content in contents:
        found.update(int(number) for number in NUMBERED.findall(content))
        for encoded in re.findall(rb'"([A-Za-z0-9+/]{20,}={0,2})"', content):
            if len(encoded) % 4 == 0:
                found.update(int(number) for number in NUMBERED.findall(base64.b64decode(encoded)))
    return found
