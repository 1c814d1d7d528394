"""Tables → D/lake: immutable publications for readers, Parquet files behind views with official names.

`v/N/*.parquet` are all of one snapshot, unchanged files are hard links; `snds.duckdb` is renamed in when they are
all on disk, so that a reader sees one publication or the next, never a mixture. A big table is cut in parts by the
persons that own its rows, so that a change rewrites only theirs. Never changes a published file.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import duckdb

from streaming.sink import Exporting

DATABASE = "snds.duckdb"
REFERENCE = "reference"
PARTS = ".owners-a-part"
KEPT_S = 600.0
NOTHING: Mapping[str, str] = MappingProxyType({})
MIN_PAUSE_S = 1.0
PAUSE_RATIO = 10.0
BEHIND_RATIO = 30.0  # what is behind is not seen later for it: the time goes into rows


class Lake:
    """The folder of publications; one writer, any number of readers (`read_only`)."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder.resolve()
        self._clock = clock
        self._published_at = -math.inf
        self._took_s = 0.0

    @property
    def exists(self) -> bool:
        """Say whether anything was ever published."""
        return (self._folder / DATABASE).is_file() and self._current() is not None

    def due(self, *, behind: bool = False) -> bool:
        """Say whether enough time passed since the last publication: 10 times its duration, 1 s at least.

        30 times when rows are `behind`: what comes meanwhile is published with it.
        """
        pause = max(MIN_PAUSE_S, (BEHIND_RATIO if behind else PAUSE_RATIO) * self._took_s)
        return self._clock() >= self._published_at + pause

    def publish(self, sink: Exporting, *, about: Mapping[str, str] = NOTHING) -> None:
        """Make what is committed visible to readers, then forget the marks of what changed.

        `about` goes into each new file as key-value metadata; a file that did not change keeps its own.
        """
        started = self._clock()
        changed = sink.unpublished()
        current = self._current()
        previous = _comparable(current, sink.owners_a_part)
        target = self._folder / "v" / str((int(current.name) if current else 0) + 1)
        building = self._folder / "v" / ".building"
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        shown = {table: _add(sink, table, building, previous=previous, changed=changed, about=about)
                 for table in sink.published_tables()}  # fmt: skip
        shown |= self._add_reference(building)
        (building / PARTS).write_text(str(sink.owners_a_part), encoding="ascii")
        _sync(building / PARTS)
        _sync(building)
        building.rename(target)
        _sync(target.parent)
        self._show(shown, target)
        sink.mark_published(changed)
        self._published_at = self._clock()
        self._took_s = self._published_at - started

    def sweep(self, *, keep_s: float = KEPT_S) -> None:
        """Remove publications that another one replaced more than `keep_s` seconds ago."""
        versions = self._versions()
        for version, following in pairwise(versions):
            if time.time() - following.stat().st_mtime > keep_s:
                shutil.rmtree(version)

    def _add_reference(self, building: Path) -> dict[str, list[str]]:
        """Put the operator's reference tables beside the rows (`IR_PHA_R`); return their names and files."""
        shown = {}
        for file in sorted((self._folder.parent / REFERENCE).glob("*.parquet")):
            shutil.copyfile(file, building / file.name)
            _sync(building / file.name)
            shown[file.stem] = [file.name]
        return shown

    def _show(self, shown: Mapping[str, Sequence[str]], target: Path) -> None:
        temporary = self._folder / ".building.duckdb"
        temporary.unlink(missing_ok=True)
        with duckdb.connect(str(temporary)) as connection:
            connection.execute("BEGIN")
            for table, names in shown.items():
                files = ", ".join("'" + str(target / name).replace("'", "''") + "'" for name in names)
                connection.execute(f'CREATE VIEW "{table}" AS SELECT * FROM read_parquet([{files}])')  # noqa: S608
            connection.execute("COMMIT")
        _sync(temporary)
        temporary.replace(self._folder / DATABASE)
        _sync(self._folder)

    def _versions(self) -> list[Path]:
        folder = self._folder / "v"
        found = [path for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []
        return sorted(found, key=lambda path: int(path.name))

    def _current(self) -> Path | None:
        """Return the last complete publication: folders get a number once all their files are on disk."""
        versions = self._versions()
        return versions[-1] if versions else None


def _add(
    sink: Exporting,
    table: str,
    building: Path,
    *,
    previous: Path | None,
    changed: frozenset[str],
    about: Mapping[str, str],
) -> list[str]:
    """Put the files of one table into a publication: those that did not change are the ones of the previous."""
    touched = sink.changed_parts(table) if table in changed else frozenset()
    names = []
    for part in sink.parts(table):
        name = f"{table}.{part}.parquet" if part else f"{table}.parquet"
        old = previous / name if previous else None
        if old is not None and touched is not None and part not in touched and old.is_file():
            os.link(old, building / name)
        else:
            sink.export(table, building / name, part=part, about=about)
            _sync(building / name)
        names.append(name)
    return names


def _comparable(publication: Path | None, owners_a_part: int) -> Path | None:
    """Return a publication whose files are cut as the next ones are; None when there is none."""
    marker = publication / PARTS if publication else None
    same = marker is not None and marker.is_file() and marker.read_text(encoding="ascii") == str(owners_a_part)
    return publication if same else None


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
