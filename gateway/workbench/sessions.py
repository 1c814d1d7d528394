"""An API key of the gateway → a session in memory, forgotten after 15 minutes in which nothing was done.

Holds who came and which language they read; never a bundle, never the key. Nothing is written to a disk.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fhir_profiles.issues import Language
from gateway.access import Access
from gateway.contracts import now_utc
from transformers.contract import Contract

IDLE_S = 15 * 60
MOST = 1000


@dataclass(slots=True, repr=False)
class Session:
    """Who sits before the browser. `contract` is that of the hospital whose key opened the session."""

    contract: Contract
    scopes: frozenset[str]
    credential: str
    language: Language
    clock: Callable[[], float]
    seen_at: float = 0.0

    def idle(self) -> bool:
        """Say whether nothing was done for too long."""
        return self.clock() - self.seen_at > IDLE_S


@dataclass(slots=True, repr=False)
class Sessions:
    """The open sessions of the process."""

    access: Access
    clock: Callable[[], float] = time.monotonic
    _open: dict[str, Session] = field(default_factory=dict)

    def open(self, secret: str, language: Language) -> str | None:
        """Return the token of a new session; None for nobody's key, or when too many are open."""
        self.access.refresh()
        self._forget_idle()
        found = self.access.hospitals.find(secret)
        if found is None or len(self._open) >= MOST:
            return None
        contract = self.access.hospitals.contracts[found.finess]
        token = secrets.token_urlsafe(32)
        self._open[token] = Session(contract, found.scopes, found.key_id, language, self.clock, self.clock())
        return token

    def find(self, token: str | None) -> Session | None:
        """Return the session of a token and note that it was used; None once it is idle, left or its key withdrawn."""
        session = self._open.get(token or "")
        if session is None:
            return None
        self.access.refresh()
        if session.idle() or not self._holds(session):
            del self._open[token or ""]
            return None
        session.seen_at = self.clock()
        return session

    def close(self, token: str | None) -> None:
        """Forget a session."""
        self._open.pop(token or "", None)

    def _holds(self, session: Session) -> bool:
        credential = self.access.hospitals.by_key_id.get(session.credential)
        return credential is not None and (credential.expires is None or credential.expires > now_utc())

    def _forget_idle(self) -> None:
        for token in [token for token, one in self._open.items() if one.idle()]:
            del self._open[token]
