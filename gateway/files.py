"""Files of an installation: written whole or not at all, durable, with the mode that their content asks for."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

READABLE_BY_GROUP = 0o640
OWNER_ONLY = 0o600
FOLDER = 0o700

Versions = tuple[tuple[str, int, int, int], ...]
"""Of each file: its name, inode, time of change in nanoseconds, size in bytes."""


def write_whole(path: Path, text: str, *, mode: int) -> None:
    """Replace a file in one step; a reader sees the old content or the new one, also after a power cut."""
    path.parent.mkdir(mode=FOLDER, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Let one command at a time change the files of an installation."""
    data_dir.mkdir(mode=FOLDER, parents=True, exist_ok=True)
    descriptor = os.open(data_dir / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def versions_of(paths: Iterable[Path]) -> Versions:
    """Return what tells the present version of each of some files; one that is not there, or goes meanwhile, has none.

    Time and size do not: a key has always 64 digits, and two writes within a tick of the kernel have one time.
    """
    found = []
    for path in paths:
        try:
            state = path.stat()
        except OSError:
            continue
        found.append((path.name, state.st_ino, state.st_mtime_ns, state.st_size))
    return tuple(found)
