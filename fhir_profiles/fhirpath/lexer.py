"""FHIRPath text → tokens (FHIRPath N1, grammar). Linear; raises Untranslatable with the position."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fhir_profiles.fhirpath.errors import Untranslatable

LONGEST = 20_000

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|//[^\n]*|/\*.*?\*/)
    | (?P<moment>@(?:T\d{2}(?::\d{2}(?::\d{2}(?:\.\d+)?)?)?
        |\d{4}(?:-\d{2}(?:-\d{2})?)?(?:T(?:\d{2}(?::\d{2}(?::\d{2}(?:\.\d+)?)?)?(?:Z|[+-]\d{2}:\d{2})?)?)?))
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<quoted>`(?:[^`\\]|\\.)*`)
    | (?P<dollar>\$(?:this|index|total))
    | (?P<variable>%(?:[A-Za-z_][A-Za-z0-9_-]*|`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<symbol><=|>=|!=|!~|[-+*/|&=~<>().,\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"f": "\f", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind (a group of the pattern, or `end`), its text with escapes resolved, where it starts."""

    kind: str
    text: str
    position: int


def tokens(text: str) -> list[Token]:
    """Split an expression; the last token has the kind `end`."""
    if len(text) > LONGEST:
        raise Untranslatable("an expression longer than 20,000 characters")
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise Untranslatable("a character that starts no token", position)
        kind = str(match.lastgroup)
        if kind != "space":
            found.append(Token(kind, _content(kind, match.group()), position))
        position = match.end()
    found.append(Token("end", "", position))
    return found


def _content(kind: str, text: str) -> str:
    if kind in ("string", "quoted"):
        return unescape(text[1:-1])
    if kind == "moment":
        return text[1:]
    if kind == "dollar":
        return text[1:]
    if kind == "variable":
        return unescape(text[2:-1]) if text[1] in "`'\"" else text[1:]
    return text


def unescape(text: str) -> str:
    r"""Resolve `\'`, `\n`, `\u002a`; an escape that FHIRPath has not stands for its character."""
    return _ESCAPE.sub(_escaped, text) if "\\" in text else text


def _escaped(match: re.Match[str]) -> str:
    escape = match[1]
    if len(escape) == 5:
        return chr(int(escape[1:], 16))
    return _ESCAPES.get(escape, escape)
