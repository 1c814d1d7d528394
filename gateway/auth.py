"""Request headers → who calls: the hospital (FINESS), the source and the scopes of the credential.

Credentials come before everything: until this has answered, nothing of the body is read. All failures of
authentication give one and the same answer (401). Never logs or keeps a secret. Promise: P19.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fhir_profiles.errors import Forbidden, Unauthenticated
from fhir_profiles.issues import issue
from gateway.contracts import Hospitals
from transformers.contract import Contract

LONGEST_SECRET = 8192


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: `credential` is the public id of what opened the door, for the audit."""

    contract: Contract
    source: str
    scopes: frozenset[str]
    credential: str

    @property
    def finess(self) -> str:
        """Return the hospital."""
        return self.contract.finess

    def require(self, scope: str) -> None:
        """Raise Forbidden when the credential lacks a scope."""
        if scope not in self.scopes:
            raise Forbidden(issue("scope-missing", scope=scope))


def authenticate(headers: Mapping[str, str], hospitals: Hospitals) -> Caller:
    """Return the caller of a request. Raises Unauthenticated."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(secret.strip()) <= LONGEST_SECRET:
        raise Unauthenticated(issue("unauthenticated"))
    found = hospitals.find(secret.strip())
    if found is None:
        raise Unauthenticated(issue("unauthenticated"))
    return Caller(hospitals.contracts[found.finess], found.source, found.scopes, found.key_id)
