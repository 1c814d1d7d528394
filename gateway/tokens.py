"""SMART Backend Services: a signed assertion → a short-lived access token (HL7 SMART App Launch 2, RFC 7523).

The algorithm is that of the registered key, never what the token says; an assertion serves once. Access tokens are
keyed hashes that any worker checks without a store. Every failure gives the same answer. Promise: P19.
"""

from __future__ import annotations

import base64
import re
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jwt
import orjson

from gateway.clients import Client, Clients
from transformers.deidentify.pseudonyms import Digest, Key

ALGORITHMS = ("RS384", "ES384")
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SKEW_S = 60
LONGEST_LIFE_S = 300
TOKEN_LIFE_S = 300
LONGEST_JTI = 256
PURPOSE = "ledger/access-token"
TOKEN = re.compile(r"sgt_([A-Za-z0-9_-]{1,2000})\.([A-Za-z0-9_-]{43})", re.ASCII)
SYSTEM_SCOPE = re.compile(r"system/(?:\*|[A-Za-z]{1,64})\.(?:write|\*|[cruds]{1,5})", re.ASCII)
WRITING = re.compile(r"\.(?:write|\*|r?[cud]+[ruds]*)\Z", re.ASCII)
NAMED = ("write", "validate", "rights", "operate")
REPLAY = "replay.sqlite"
TABLE = "CREATE TABLE IF NOT EXISTS used (client TEXT, jti TEXT, until REAL, PRIMARY KEY (client, jti)) WITHOUT ROWID"


class InvalidAssertion(Exception):  # noqa: N818 — named as OAuth names it
    """An assertion that is not good, for a reason that nobody is told."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What an access token says."""

    client: str
    scopes: frozenset[str]


def verified_client(assertion: str, clients: Clients, *, audience: str, spend: Callable[[str, str, float], bool],
                    now: Callable[[], float] = time.time) -> Client:  # fmt: skip
    """Return the client that signed an assertion. Raises InvalidAssertion.

    `spend(client, jti, until)` keeps a `jti` and says whether it is new; it is asked last, so that nobody can spend
    somebody else's.
    """
    try:
        header = jwt.get_unverified_header(assertion)
        claimed = jwt.decode(assertion, options={"verify_signature": False})
        client = clients.by_id[str(claimed.get("iss"))]
        key = client.keys[str(header.get("kid"))]
        if header.get("alg") not in ALGORITHMS or header.get("alg") != key.algorithm_name:
            raise InvalidAssertion
        claims = jwt.decode(
            assertion,
            key,
            algorithms=[key.algorithm_name],
            audience=audience,
            issuer=client.grant.name,
            leeway=SKEW_S,
            options={"require": ["iss", "sub", "aud", "exp", "jti"]},
        )
    except (jwt.PyJWTError, KeyError, ValueError, TypeError, RecursionError):
        raise InvalidAssertion from None
    jti, expires = claims["jti"], claims["exp"]
    if claims["sub"] != client.grant.name or not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI:
        raise InvalidAssertion
    if not isinstance(expires, int | float) or expires > now() + LONGEST_LIFE_S + SKEW_S:
        raise InvalidAssertion
    if not spend(client.grant.name, jti, float(expires) + SKEW_S):
        raise InvalidAssertion
    return client


def granted_scopes(asked: str, client: Client) -> tuple[frozenset[str], str]:
    """Return the scopes that are asked for and allowed, and the words that asked for them."""
    scopes: set[str] = set()
    kept = []
    for word in asked.split():
        wanted = {word} if word in NAMED else set()
        if SYSTEM_SCOPE.fullmatch(word) and WRITING.search(word):
            wanted = {"write", "validate"}
        if wanted & client.grant.scopes:
            scopes |= wanted & client.grant.scopes
            kept.append(word)
    return frozenset(scopes), " ".join(kept)


class Tokens:
    """Makes and checks access tokens; every worker of an installation derives the same key."""

    def __init__(self, ledger: Key, *, now: Callable[[], float] = time.time) -> None:
        self._digest: Digest = ledger.derive(PURPOSE)
        self._now = now

    def make(self, client: Client, scopes: frozenset[str]) -> str:
        """Return a token."""
        said = {"c": client.grant.name, "s": sorted(scopes), "e": int(self._now()) + TOKEN_LIFE_S}
        body = _text(orjson.dumps(said))
        return f"sgt_{body}.{_text(self._digest(body.encode()))}"

    def read(self, token: str) -> Granted | None:
        """Return what a token grants, None when it is none of ours or too old."""
        shape = TOKEN.fullmatch(token)
        if shape is None or not secrets.compare_digest(_text(self._digest(shape[1].encode())), shape[2]):
            return None
        said = orjson.loads(base64.urlsafe_b64decode(shape[1] + "=" * (-len(shape[1]) % 4)))
        return Granted(said["c"], frozenset(said["s"])) if said["e"] > self._now() else None


class Spent:
    """The assertions that were used: one file a node, shared by its workers, kept until they expire."""

    def __init__(self, data_dir: Path, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._connection = sqlite3.connect(data_dir / REPLAY, isolation_level=None, timeout=5.0)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(TABLE)

    def spend(self, client: str, jti: str, until: float) -> bool:
        """Keep a `jti`; False when it was used before."""
        self._connection.execute("DELETE FROM used WHERE until < ?", (self._now(),))
        try:
            self._connection.execute("INSERT INTO used (client, jti, until) VALUES (?, ?, ?)", (client, jti, until))
        except sqlite3.IntegrityError:
            return False
        return True

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
