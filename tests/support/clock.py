"""A clock of their own for processes that we start (libfaketime, preloaded): it jumps, the machine's never does."""

from __future__ import annotations

from pathlib import Path


def library() -> Path | None:
    """Return libfaketime's variant for threads, None where it is not installed."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def missing() -> str | None:
    """Say in one line what is missing to let a clock jump, or None."""
    return None if library() else "no libfaketime: apt-get install faketime"


class Clock:
    """What `environment` gives to a process; `jump` moves it within a second. Waiting times stay real."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.jump(0)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            # looked at once a second: without a cache each question for the time opens the file, 6,000 times a second
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    def jump(self, seconds: int) -> None:
        """Let it be so many seconds ahead of the machine's (behind when negative)."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}s\n", encoding="ascii")
        new.replace(self._file)
