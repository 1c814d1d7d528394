"""D/clients.toml → callers without an API key: SMART clients by their public keys, machines by their certificates.

The file is optional. Every entry names a hospital, a source and scopes; a weak key or an unknown name is
`Misconfigured`. Only public keys and fingerprints stand in it. Promise: P19, P23.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from fhir_profiles.errors import Misconfigured
from gateway.credentials import checked_finess, checked_scopes, checked_source
from gateway.toml_file import read_toml, refuse_unknown, tables, words

FILE = "clients.toml"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FINGERPRINT = re.compile(r"[0-9a-f]{64}")
LEAST_RSA_BITS = 2048
MOST_KEYS = 20


@dataclass(frozen=True, slots=True)
class Grant:
    """What an entry of the file allows: to whom, for which source, to do what."""

    name: str
    finess: str
    source: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Client:
    """A SMART Backend Services client: its public keys by `kid`."""

    grant: Grant
    keys: Mapping[str, jwt.PyJWK] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Clients:
    """Clients by id, and grants by the SHA-256 of a certificate."""

    by_id: Mapping[str, Client] = field(default_factory=dict)
    by_fingerprint: Mapping[str, Grant] = field(default_factory=dict)

    def finess(self) -> frozenset[str]:
        """Return the hospitals that are named."""
        grants = [*(one.grant for one in self.by_id.values()), *self.by_fingerprint.values()]
        return frozenset(one.finess for one in grants)


def load_clients(data_dir: Path, known: Mapping[str, object]) -> Clients:
    """Read the file, if there is one; `known` are the hospitals with a contract. Raises Misconfigured."""
    file = data_dir / FILE
    if not file.exists():
        return Clients()
    document = read_toml(file)
    refuse_unknown(document, ("client", "certificate"), FILE)
    clients = dict(_clients(data_dir, document))
    certificates: dict[str, Grant] = {}
    for grant, fingerprints in _certificates(document):
        for one in fingerprints:
            if one in certificates:
                raise Misconfigured("certificate-twice", f"{FILE}: {grant.name} and another share a fingerprint")
            certificates[one] = grant
    found = Clients(clients, certificates)
    for finess in sorted(found.finess() - known.keys()):
        raise Misconfigured("contract-missing", f"{FILE}: {finess} has a client and no contract")
    return found


def files_of(data_dir: Path) -> Iterator[Path]:
    """Yield the files that say which clients there are, to see when they change."""
    yield data_dir / FILE
    yield from sorted((data_dir / "jwks").glob("*.json"))


def _clients(data_dir: Path, document: Mapping[str, Any]) -> Iterator[tuple[str, Client]]:
    for name, row in tables(document.get("client", {}), f"{FILE}: client"):
        place = f"{FILE}: client.{name}"
        refuse_unknown(row, ("finess", "source", "scopes", "jwks"), place)
        if not isinstance(row.get("jwks"), str):
            raise Misconfigured("value-invalid", f"{place}.jwks: the path of a JWKS file is expected")
        yield name, Client(_grant(name, row, place), _keys(data_dir / row["jwks"], place))


def _certificates(document: Mapping[str, Any]) -> Iterator[tuple[Grant, list[str]]]:
    for name, row in tables(document.get("certificate", {}), f"{FILE}: certificate"):
        place = f"{FILE}: certificate.{name}"
        refuse_unknown(row, ("finess", "source", "scopes", "fingerprints"), place)
        written = [one.replace(":", "").lower() for one in words(row.get("fingerprints"), f"{place}.fingerprints")]
        if not written or not all(FINGERPRINT.fullmatch(one) for one in written):
            raise Misconfigured("value-invalid", f"{place}.fingerprints: SHA-256 in hexadecimal is expected")
        yield _grant(name, row, place), written


def _grant(name: str, row: Mapping[str, Any], place: str) -> Grant:
    if not NAME.fullmatch(name):
        raise Misconfigured("value-invalid", f"{FILE}: a name has letters, digits, dot, dash, underscore; 64 at most")
    return Grant(
        name,
        checked_finess(row.get("finess"), f"{place}.finess"),
        checked_source(row.get("source", "main"), f"{place}.source"),
        checked_scopes(words(row.get("scopes"), f"{place}.scopes"), f"{place}.scopes"),
    )


def _keys(file: Path, place: str) -> dict[str, jwt.PyJWK]:
    """Read a JWKS: public RSA keys of 2048 bits at least, public P-384 keys, each with its own `kid`."""
    wrong = f"{place}.jwks: {file.name}"
    try:
        listed = json.loads(file.read_text(encoding="utf-8"))["keys"]
    except (OSError, ValueError, KeyError, TypeError):
        raise Misconfigured("jwks-unreadable", f"{wrong} is not a readable JWKS") from None
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_KEYS:
        raise Misconfigured("jwks-unreadable", f"{wrong}: 1 to {MOST_KEYS} keys are expected")
    keys: dict[str, jwt.PyJWK] = {}
    for one in listed:
        kid = one.get("kid") if isinstance(one, dict) else None
        if not isinstance(kid, str) or not kid or kid in keys:
            raise Misconfigured("jwks-key", f"{wrong}: each key has a kid of its own")
        if "d" in one or one.get("kty") == "oct":
            raise Misconfigured("jwks-key", f"{wrong}: only public keys belong here")
        keys[kid] = _key(one, wrong)
    return keys


def _key(raw: dict[str, Any], wrong: str) -> jwt.PyJWK:
    algorithm = {"RSA": "RS384", "EC": "ES384"}.get(str(raw.get("kty")), "")
    if raw.get("alg", algorithm) != algorithm or raw.get("use", "sig") != "sig":
        raise Misconfigured("jwks-key", f"{wrong}: keys are for RS384 or ES384 signatures")
    try:
        key = jwt.PyJWK(raw, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        raise Misconfigured("jwks-key", f"{wrong}: a key cannot be read") from None
    public = key.key
    strong = (isinstance(public, RSAPublicKey) and public.key_size >= LEAST_RSA_BITS) or (
        isinstance(public, EllipticCurvePublicKey) and isinstance(public.curve, SECP384R1)
    )
    if not strong:
        raise Misconfigured("jwks-key", f"{wrong}: RSA of {LEAST_RSA_BITS} bits or P-384 is expected")
    return key
