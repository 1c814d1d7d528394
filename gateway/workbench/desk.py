"""What the pages of the workbench share: the installation, the loaded profiles and rules, the open sessions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fastapi import Request

from gateway.house import Yardstick
from gateway.workbench.guard import token_of
from gateway.workbench.sessions import Session, Sessions


@dataclass(frozen=True, slots=True, repr=False)
class Desk:
    """Made once, when the workbench starts."""

    data_dir: Path
    yardstick: Yardstick
    sessions: Sessions

    def session(self, request: Request) -> Session:
        """Return who asks for a page; the guard let nobody else come here."""
        found = self.sessions.find(token_of(request.scope["headers"]))
        if found is None:
            raise LookupError("session")
        return found
