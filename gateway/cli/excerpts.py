"""The place of an issue in its file: the line, with every value masked that could identify somebody, and a caret.

Names of elements, codes, systems and numbers stay; a string, a date, an identifier never is shown (DESIGN §3).
"""

from __future__ import annotations

import re
from pathlib import Path

STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
SHOWN_OF = frozenset({"code", "system", "url", "resourceType", "status", "use", "profile", "version", "unit", "method"})
PUBLIC = re.compile(r"[A-Za-z0-9:/._|+*%-]{1,64}")
MASK = "•"
BEFORE, AFTER = 30, 60


class Excerpts:
    """The lines of one file (or of what was piped in), read when the first one is asked for."""

    def __init__(self, source: Path | bytes) -> None:
        self._source = source
        self._lines: list[str] | None = None

    def at(self, line: int, column: int) -> tuple[str, int] | None:
        """Return the masked part of a line around a column, and where the caret goes; None when it is not there."""
        if self._lines is None:
            self._lines = _lines(self._source)
        if not 0 < line <= len(self._lines):
            return None
        text = masked(self._lines[line - 1])
        if not text.strip(" \t{}[],"):  # a bracket alone says nothing
            return None
        place = min(max(column - 1, 0), len(text))
        begin = max(place - BEFORE, 0)
        shown = text[begin : place + AFTER].replace("\t", " ")
        indent = 0 if begin else len(shown) - len(shown.lstrip())
        indent = min(indent, place)
        return shown[indent:], place - begin - indent


def masked(line: str) -> str:
    """Replace each string value by as many dots, but codes and addresses of the kind that definitions have."""
    key = ""
    made: list[str] = []
    last = 0
    for found in STRING.finditer(line):
        made.append(line[last : found.start()])
        content = found[0][1:-1]
        if line[found.end() :].lstrip()[:1] == ":":
            key = content
            made.append(found[0])
        elif key in SHOWN_OF and PUBLIC.fullmatch(content):
            made.append(found[0])
        else:
            made.append(f'"{MASK * len(content)}"')
        last = found.end()
    rest = line[last:]
    made.append(rest if '"' not in rest else rest.partition('"')[0])  # a string that never ends is not shown
    return "".join(made)


def _lines(source: Path | bytes) -> list[str]:
    try:
        return (source if isinstance(source, bytes) else source.read_bytes()).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
