"""A disk of a few megabytes (tmpfs, as root) that is filled to the last byte and emptied again."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from pathlib import Path


def missing() -> str | None:
    """Say in one line why no small disk can be mounted here, or None."""
    if os.getuid() != 0:
        return "mounting a small disk takes root"
    with tempfile.TemporaryDirectory() as name:
        try:
            SmallDisk(Path(name), megabytes=1).remove()
        except PermissionError:
            return "mounting is not permitted here"
    return None


class SmallDisk:
    """One file system mounted on a folder, private to its owner."""

    def __init__(self, folder: Path, *, megabytes: int) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", str(folder)]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            raise PermissionError(errno.EPERM, "mount")

    def fill(self) -> None:
        """Leave no room; called again it takes what was freed meanwhile."""
        with (self.folder / "filler").open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                try:
                    while file.write(b"x" * size) == size:
                        pass
                except OSError as full:
                    if full.errno != errno.ENOSPC:
                        raise

    def empty(self) -> None:
        """Give the room back."""
        (self.folder / "filler").unlink(missing_ok=True)

    def remove(self) -> None:
        """Unmount, also when a process that ends holds a file open a moment longer."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
