"""Acts → the register that gateways and writers read before the first bundle; embedded: in D/events.sqlite.

An entry is an act, or keys learnt of a person later; the last entry of an id counts. Holds pseudonyms only, durably.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from streaming import sqlite
from streaming.naming import Key
from streaming.opposition import NO_ACTS, Act, Acts, acts_of, entry_of, learnt_entry

KEEP = """
INSERT INTO act (id, number, body) VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM act), ?)
ON CONFLICT (id) DO UPDATE SET number = excluded.number, body = excluded.body
"""


class Register(Protocol):
    """The acts of a platform."""

    def acts(self) -> Acts:
        """Return all acts as they are now. Raises `Unavailable`: then nothing may be published."""
        ...

    def keep(self, act: Act) -> None:
        """Keep an act, or its end, durably. Raises `Unavailable`."""
        ...

    def learn(self, act: str, keys: Iterable[Key]) -> None:
        """Keep more keys of the person of an act, durably. Raises `Unavailable`."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class EmbeddedRegister:
    """The register beside the embedded log; any number of processes."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite.connect(path, "log")
        self._gate = threading.Lock()
        self._number = -1
        self._acts = NO_ACTS

    def acts(self) -> Acts:
        """See `Register`; one small query when nothing changed."""
        with self._gate:
            number = self._connection.execute("SELECT coalesce(max(number), 0) FROM act").fetchone()[0]
            if number != self._number:
                entries = [bytes(body) for (body,) in self._connection.execute("SELECT body FROM act")]
                self._acts, self._number = acts_of(entries, number=number), number
            return self._acts

    def keep(self, act: Act) -> None:
        """See `Register`."""
        self._keep(act.id, entry_of(act))

    def learn(self, act: str, keys: Iterable[Key]) -> None:
        """See `Register`."""
        self._keep(f"{act}|{secrets.token_hex(8)}", learnt_entry(act, keys))

    def close(self) -> None:
        """See `Register`."""
        with self._gate:
            self._connection.close()

    def _keep(self, name: str, entry: bytes) -> None:
        with self._gate, sqlite.transaction(self._connection):
            self._connection.execute(KEEP, (name, entry))
