"""Compiled modules on disk, one small file each, in a folder of the packages' digest that only we may enter.

What is missing or unreadable is made again; digests that nobody used lately go. Never holds anything posted.
Promise: nobody else's code is run.
"""

from __future__ import annotations

import marshal
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fhir_profiles.compiler.index import Index, from_plain
from fhir_profiles.compiler.modules import Module, Modules
from fhir_profiles.compiler.writer import Link
from fhir_profiles.digests import definitions_digest
from fhir_profiles.errors import Misconfigured
from fhir_profiles.terminology import Expansion

KEPT = 3  # folders of other digests, the latest used: a version that is rolled back finds its own again
IN_USE_S = 86_400  # younger ones belong to whoever shares the folder now
_DIGEST = re.compile("[0-9a-f]{32}")
UNREADABLE = (OSError, EOFError, ValueError, TypeError, KeyError)


class Cached:
    """Modules of a folder; `make` gives the compiler when something is not there yet."""

    def __init__(self, folder: Path, make: Callable[[], Modules]) -> None:
        self._folder = folder
        self._make = make
        self._compiler: Modules | None = None

    def module(self, kind: str, target: str) -> Module:
        """Return the module of a type or profile."""
        name = f"{kind}-{_short(target)}"
        raw = _read(self._folder / name)
        if raw is not None:
            links = {key: Link(*link) for key, link in raw["links"].items()}
            not_checked = tuple((key, reason) for key, reason in raw["not_checked"])
            return Module(raw["code"], raw["constants"], links, not_checked, raw["rebound"])
        made = self._compiled().module(kind, target)
        _write(
            self._folder / name,
            {
                "code": made.code,
                "constants": dict(made.constants),
                "links": {key: (link.kind, link.target) for key, link in made.links.items()},
                "not_checked": made.not_checked,
                "rebound": made.rebound,
            },
        )
        return made

    def expansion(self, target: str) -> Expansion:
        """Return the codes of a value set."""
        name = f"codes-{_short(target)}"
        raw = _read(self._folder / name)
        if raw is not None:
            return Expansion(raw["url"], raw["systems"], raw["open"], raw["unknown"], raw["codes"])
        made = self._compiled().expansion(target)
        _write(
            self._folder / name,
            {
                "url": made.url,
                "systems": dict(made.systems),
                "open": made.open,
                "unknown": made.unknown,
                "codes": made.codes,
            },
        )
        return made

    def index(self, make: Callable[[], Index]) -> Index:
        """Return the facts of the definitions."""
        raw = _read(self._folder / "index")
        if raw is not None:
            return from_plain(raw)
        made = make()
        _write(self._folder / "index", made.plain())
        return made

    def _compiled(self) -> Modules:
        if self._compiler is None:
            self._compiler = self._make()
        return self._compiler


def private_folder(parent: Path, digest: str) -> Path:
    """Make the folder of a digest, mode 0700. Raises Misconfigured when somebody else could write into it."""
    folder = parent / definitions_digest([digest.encode()])[:32]
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.stat(follow_symlinks=False)
    except OSError:
        raise Misconfigured("cache-folder-unusable", str(parent)) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise Misconfigured("cache-folder-not-private", str(folder))
    return folder


def prune(mine: Path) -> None:
    """Mark a digest's folder as used, and take away those beside it that are neither among the latest nor of today.

    Safe beside other processes: whoever misses a file makes it again, and its folder with it.
    """
    os.utime(mine)
    others: list[tuple[float, Path]] = []
    for one in mine.parent.iterdir():
        if one != mine and _DIGEST.fullmatch(one.name):
            try:
                found = one.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # another process prunes too
            if stat.S_ISDIR(found.st_mode):
                others.append((found.st_mtime, one))
    oldest_in_use = time.time() - IN_USE_S
    for used, one in sorted(others, reverse=True)[KEPT:]:
        if used < oldest_in_use:
            shutil.rmtree(one, ignore_errors=True)  # what stays of it is tried again at the next start


def _short(target: str) -> str:
    return definitions_digest([target.encode()])[:40]


def _read(path: Path) -> Any:  # noqa: ANN401 — whatever marshal holds
    try:
        return marshal.loads(path.read_bytes())  # noqa: S302 — written by us, in a folder that is ours alone
    except UNREADABLE:
        return None  # absent or of another Python: made again


def _write(path: Path, content: Any) -> None:  # noqa: ANN401 — whatever marshal holds
    """Write a file as a whole: another worker may be reading. One that cannot be written is made again next time."""
    name = None
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)  # another process may have pruned it
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(marshal.dumps(content))
        Path(name).replace(path)
    except OSError:
        if name is not None:  # a full disk costs time at the next start, never an answer
            Path(name).unlink(missing_ok=True)
