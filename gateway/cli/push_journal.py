"""What a long `push` has already sent: one JSON line a document, so that the next run goes on where it stopped.

Holds file names, line numbers, statuses and issue codes; never anything of a document.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from fhir_profiles.errors import Misconfigured
from gateway.cli.inputs import Document


class Journal:
    """The journal of one push. A document that changed since it was sent is a new one."""

    def __init__(self, file: Path) -> None:
        """Open or make the file. Raises Misconfigured when it is something else than a journal."""
        self._done = _read(file) if file.exists() else set()
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def knows(self, document: Document) -> bool:
        """Say whether the document has had its answer."""
        return _name(document) in self._done

    def note(self, document: Document, outcome: Mapping[str, Any]) -> None:
        """Write the outcome of one document: one write, so that a killed push leaves whole lines."""
        path, line, mark = _name(document)
        os.write(self._file, orjson.dumps({"file": path, "line": line, "mark": mark, **outcome}) + b"\n")

    def close(self) -> None:
        """Put everything on disk and let go of the file."""
        os.fsync(self._file)
        os.close(self._file)


def _name(document: Document) -> tuple[str, int, str]:
    return str(document.path), document.line, f"{len(document.content):x}-{zlib.crc32(document.content):08x}"


def _read(file: Path) -> set[tuple[str, int, str]]:
    done = set()
    for number, line in enumerate(file.read_bytes().splitlines(keepends=True), 1):
        if not line.endswith(b"\n"):  # the last line of a push that was killed: its document is sent again
            continue
        try:
            one = orjson.loads(line)
            done.add((one["file"], one["line"], one["mark"]))
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise Misconfigured("journal-unreadable", f"{file}, line {number}: not a journal of push") from None
    return done
