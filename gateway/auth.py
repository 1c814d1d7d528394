"""Request headers → who calls: the hospital (FINESS), the source and the scopes of the credential.

API key, access token, or the client certificate that a trusted proxy passes. Credentials come before everything:
nothing of the body is read before. All failures give one and the same answer (401). Never logs a secret. Promise: P19.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fhir_profiles.errors import Forbidden, Unauthenticated
from fhir_profiles.issues import issue
from gateway.access import Access
from gateway.certificates import fingerprint_of
from gateway.clients import Grant
from gateway.contracts import Hospitals
from gateway.setting_kinds import Network
from gateway.tokens import Tokens
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


@dataclass(frozen=True, slots=True, repr=False)
class Doors:
    """The ways in of a worker. `header` names the certificate's header, "" when no proxy is trusted."""

    access: Access
    tokens: Tokens
    proxies: Sequence[Network] = ()
    header: str = ""

    def authenticate(self, headers: Mapping[str, str], client: str) -> Caller:
        """Return the caller of a request that came from the address `client`. Raises Unauthenticated."""
        found = self._by_secret(headers["authorization"]) if "authorization" in headers else None
        if found is None and "authorization" not in headers:
            found = self._by_certificate(headers, client)
        if found is None:
            raise Unauthenticated(issue("unauthenticated"))
        return found

    def _by_secret(self, authorization: str) -> Caller | None:
        scheme, _, secret = authorization.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not 0 < len(secret) <= LONGEST_SECRET:
            return None
        if secret.startswith("sgt_"):
            return self._by_token(secret)
        hospitals = self.access.hospitals
        found = hospitals.find(secret)
        if found is None:
            return None
        return Caller(hospitals.contracts[found.finess], found.source, found.scopes, found.key_id)

    def _by_token(self, token: str) -> Caller | None:
        """A client that is no longer registered, or has fewer scopes now, loses them at once."""
        granted = self.tokens.read(token)
        client = self.access.clients.by_id.get(granted.client) if granted else None
        if granted is None or client is None:
            return None
        return caller_of(client.grant, self.access.hospitals, only=granted.scopes)

    def _by_certificate(self, headers: Mapping[str, str], client: str) -> Caller | None:
        fingerprint = fingerprint_of(headers, client, proxies=self.proxies, header=self.header)
        grant = self.access.clients.by_fingerprint.get(fingerprint) if fingerprint else None
        return caller_of(grant, self.access.hospitals) if grant else None


def caller_of(grant: Grant, hospitals: Hospitals, *, only: frozenset[str] | None = None) -> Caller | None:
    """Return the caller that a grant describes, with some of its scopes only; None once its contract has ended."""
    contract = hospitals.contracts.get(grant.finess)
    scopes = grant.scopes if only is None else grant.scopes & only
    return Caller(contract, grant.source, scopes, grant.name) if contract is not None else None
