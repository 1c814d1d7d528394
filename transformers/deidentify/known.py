"""Systems of the identifiers that leave, and the identity of one resource as keyed hashes (docs/stream-contract.md)."""

from __future__ import annotations

from typing import NamedTuple

GATEWAY = "urn:snds-gateway:"
RESOURCE, PERSON, STAY = GATEWAY + "resource", GATEWAY + "person", GATEWAY + "stay"
STRUCTURES = frozenset({"Organization", "Location", "Medication", "Specimen", "Account"})


class Known(NamedTuple):
    """The identity of one resource of the bundle. `aliases` are those of a person or a stay, the first one first."""

    type: str
    key: str
    aliases: tuple[str, ...] = ()
    unstable: bool = False

    def __repr__(self) -> str:
        return f"Known(type={self.type})"
