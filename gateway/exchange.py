"""One request as the gateway sees it, and what is written down about it: audit, log, metrics.

Holds headers and a stream of chunks, never a body. Its facts are closed words, counts and keyed hashes. Promise: P13.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from fhir_profiles.issues import Language
from gateway.auth import Caller
from streaming.broker import Counts

Preference = Literal["", "minimal", "OperationOutcome"]
PREFERENCES: Mapping[str, Preference] = {
    "minimal": "minimal",
    "operationoutcome": "OperationOutcome",
    "representation": "OperationOutcome",
}


@dataclass(frozen=True, slots=True)
class Target:
    """What the route says: the type expected in the body, and the interaction with one resource."""

    expected_type: str | None = "Bundle"
    method: str = ""
    resource_id: str | None = None

    @property
    def has_body(self) -> bool:
        """Say whether a body is read at all."""
        return self.method != "DELETE"


@dataclass(slots=True, repr=False)
class Exchange:
    """One request and its facts; handlers fill the facts as they become known."""

    id: str
    route: str
    headers: Mapping[str, str]
    query: Mapping[str, list[str]]
    chunks: AsyncIterator[bytes]
    received_at: datetime
    language: Language
    client: str = ""
    target: Target = field(default_factory=Target)

    caller: Caller | None = None
    counts: Counts | None = None
    receipt: str = ""
    events: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    size: int = 0
    body_read: bool = False

    def __repr__(self) -> str:
        return f"Exchange({self.id}, {self.route})"

    @property
    def preference(self) -> Preference:
        """Return what `Prefer: return=…` asks for (RFC 7240); "" when it does not say."""
        for part in self.headers.get("prefer", "")[:500].replace(";", ",").split(","):
            name, _, value = part.strip().partition("=")
            if name.strip().lower() == "return":
                return PREFERENCES.get(value.strip().strip('"').lower(), "")
        return ""
