"""Paths → documents: JSON files, folders of them, NDJSON line by line, `-` for what is piped in. Reads one at a time;
never keeps a content.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.synthetic.writing import MANIFEST

NDJSON = (".ndjson", ".jsonl")
PIPED = Path("-")


@dataclass(frozen=True, slots=True, repr=False)
class Document:
    """One bundle or resource: the file it stands in, its line there (0 for a whole file), its bytes."""

    path: Path
    line: int
    content: bytes

    @property
    def label(self) -> str:
        """Return what a person is shown: the file, and the line of an NDJSON."""
        return f"{self.path}:{self.line}" if self.line else str(self.path)

    def __repr__(self) -> str:
        return f"Document({len(self.content)} bytes)"


def files(paths: Sequence[Path]) -> list[Path]:
    """Return the files of the paths, folders opened, in order of name; the generator's manifest is none of them."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = (one for one in path.rglob("*") if one.suffix in (".json", *NDJSON) and one.name != MANIFEST)
            found.extend(sorted(one for one in inside if one.is_file()))
        else:
            found.append(path)
    return found


def documents(path: Path) -> Iterator[Document]:
    """Yield what one file holds."""
    if path.suffix not in NDJSON:
        yield Document(path, 0, path.read_bytes())
        return
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield Document(path, number, line)


def piped(content: bytes) -> Iterator[Document]:
    """Yield what standard input held: one document, or NDJSON when each of several lines is an object of its own."""
    lines = content.splitlines(keepends=True)
    full = [one.strip() for one in lines if one.strip()]
    if len(full) > 1 and all(one[:1] == b"{" and one[-1:] == b"}" for one in full):
        yield from (Document(PIPED, number, line) for number, line in enumerate(lines, 1) if line.strip())
    else:
        yield Document(PIPED, 0, content)


def count(paths: Sequence[Path]) -> int:
    """Return how many documents the files hold."""
    return sum(sum(1 for _ in documents(path)) if path.suffix in NDJSON else 1 for path in paths)
