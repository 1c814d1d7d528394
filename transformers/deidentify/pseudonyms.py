"""Keys in memory → pseudonyms: HMAC-SHA-256 under one derived key a purpose (DESIGN §4).

Takes canonical text, gives values of fixed shape; never keeps, shows or logs a key or what it hashed. Promise: P15.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from binascii import b2a_base64
from collections.abc import Callable
from typing import NoReturn

Digest = Callable[[bytes], bytes]

DEMO = "demo-"
SALT = b"fhir-snds-gateway/v1"
BLOCK = 64
INNER = bytes(byte ^ 0x36 for byte in range(256))
OUTER = bytes(byte ^ 0x5C for byte in range(256))
URL_SAFE = bytes.maketrans(b"+/", b"-_")
BASE_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOCAL_BYTES, LOCAL_WIDTH = 16, 22
NIR_ANO_WIDTH = 17


class Key:
    """32 secret bytes that never show themselves; `derive` is the only way to use them."""

    __slots__ = ("_secret", "demo")

    def __init__(self, secret: bytes, *, demo: bool = False) -> None:
        self._secret = secret
        self.demo = demo

    def __repr__(self) -> str:
        return f"{type(self).__name__}(**********)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a key is never pickled")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and hmac.compare_digest(self._secret, other._secret)

    def __hash__(self) -> int:
        return hash(self.key_id)

    @property
    def key_id(self) -> str:
        """Return the 8 characters by which an operator tells one key from another."""
        return hmac.digest(self._secret, b"key-id", "sha256").hex()[:8]

    def derive(self, purpose: str) -> Digest:
        """Return the keyed hash of one purpose (HKDF-SHA-256, RFC 5869, one block)."""
        extracted = hmac.digest(SALT, self._secret, "sha256")
        return keyed_hash(hmac.digest(extracted, purpose.encode() + b"\x01", "sha256"))


def random_key(*, demo: bool = False) -> Key:
    """Make a key that lives in this process only."""
    return Key(secrets.token_bytes(32), demo=demo)


def keyed_hash(secret: bytes) -> Digest:
    """Return HMAC-SHA-256 under `secret` with its two states prepared: 2.5 times faster than `hmac.digest`."""
    padded = secret.ljust(BLOCK, b"\0")
    inner_copy = hashlib.sha256(padded.translate(INNER)).copy
    outer_copy = hashlib.sha256(padded.translate(OUTER)).copy

    def digest(message: bytes) -> bytes:
        inner = inner_copy()
        inner.update(message)
        outer = outer_copy()
        outer.update(inner.digest())
        return outer.digest()

    return digest


def framed(*parts: str) -> bytes:
    """Join texts so that no other list of texts gives the same bytes."""
    text = ""
    for part in parts:
        text += f"{len(part)}:{part}"
    return text.encode()


class PlatformKey:
    """K1: level 1 of `psa` and `ano`, 43 characters base64url, the same in every hospital of the platform."""

    __slots__ = ("_ano", "_demo", "_psa", "key_id")

    def __init__(self, key: Key) -> None:
        self.key_id = key.key_id
        self._demo = key.demo
        self._psa = key.derive("platform/psa")
        self._ano = key.derive("platform/ano")

    def psa(self, nir: str, birth_date: str, sex: str) -> str:
        """Chain by the insured: 13 characters of the NIR, AAAAMMJJ, sex 1 or 2."""
        return _marked(_base64url(self._psa(framed(nir, birth_date, sex))), demo=self._demo)

    def ano(self, nir: str) -> str:
        """Chain by the person's own NIR (13 characters)."""
        return _marked(_base64url(self._ano(framed(nir))), demo=self._demo)


class HospitalKey:
    """Local values of one hospital: 128 bits, 22 characters base64url. It never rotates."""

    __slots__ = ("_bundle", "_code", "_demo", "_ipp", "_person", "_resource", "_stay", "key_id")

    def __init__(self, key: Key, finess: str = "") -> None:
        self.key_id = key.key_id
        self._demo = key.demo
        self._person = key.derive(f"hospital/{finess}/person")
        self._stay = key.derive(f"hospital/{finess}/stay")
        self._resource = key.derive(f"hospital/{finess}/resource")
        self._ipp = key.derive(f"hospital/{finess}/ipp")
        self._code = key.derive(f"hospital/{finess}/code")
        self._bundle = key.derive(f"hospital/{finess}/bundle")

    def person(self, *parts: str) -> str:
        """Return an alias of a person."""
        return self._local(self._person, parts)

    def stay(self, *parts: str) -> str:
        """Return an alias of a stay."""
        return self._local(self._stay, parts)

    def resource(self, *parts: str) -> str:
        """Return the key of a resource or fact."""
        return self._local(self._resource, parts)

    def resources(self, *first: str) -> Callable[[str], str]:
        """Return the function that gives the key of a resource by its last part: `resource(*first, last)`."""
        prefix, digest, demo = framed(*first), self._resource, self._demo

        def key(last: str) -> str:
            hashed = digest(prefix + f"{len(last)}:{last}".encode())[:LOCAL_BYTES]
            value = b2a_base64(hashed)[:LOCAL_WIDTH].translate(URL_SAFE).decode()
            return _marked(value, demo=True) if demo else value

        return key

    def ipp(self, *parts: str) -> str:
        """Return the pseudonym of an IPP."""
        return self._local(self._ipp, parts)

    def code(self, *parts: str) -> str:
        """Return what stands for a code of a system that the rules do not list."""
        return self._local(self._code, parts)

    def bundle(self, *parts: str) -> str:
        """Return what stands for the identity of a posted bundle."""
        return self._local(self._bundle, parts)

    def _local(self, digest: Digest, parts: tuple[str, ...]) -> str:
        value = b2a_base64(digest(framed(*parts))[:LOCAL_BYTES])[:LOCAL_WIDTH].translate(URL_SAFE).decode()
        return _marked(value, demo=True) if self._demo else value


class LedgerKey:
    """Event ids and receipts: deterministic, 22 characters, nothing of what was sent can be found from them."""

    __slots__ = ("_demo", "_event", "_receipt", "key_id")

    def __init__(self, key: Key) -> None:
        self.key_id = key.key_id
        self._demo = key.demo
        self._event = key.derive("ledger/event")
        self._receipt = key.derive("ledger/receipt")

    def event_id(self, identity: str, key: str, body: bytes) -> str:
        """Return the id of the event of one person's part of one bundle."""
        return _marked(_base64url(self._event(framed(identity, key) + body)[:LOCAL_BYTES]), demo=self._demo)

    def receipt(self, finess: str, canonical: bytes) -> str:
        """Return the receipt of one request."""
        return _marked(_base64url(self._receipt(framed(finess) + canonical)[:LOCAL_BYTES]), demo=self._demo)


class TableKeys:
    """K2: level 2 of every identifier that a table holds; implements `transformers.snds.view.TablePseudonyms`."""

    __slots__ = ("_demo", "_ipp", "_mother", "_nir", "_rsa", "_sej", "_technical", "key_id")

    def __init__(self, key: Key) -> None:
        self.key_id = key.key_id
        self._demo = key.demo
        self._nir = key.derive("tables/nir")
        self._ipp = key.derive("tables/ipp")
        self._mother = key.derive("tables/mother")
        self._technical = key.derive("tables/technical")
        self._rsa = key.derive("tables/rsa")
        self._sej = key.derive("tables/sej")

    def nir_ano_17(self, level1: str) -> str:
        """Return 17 characters [0-9A-Z]: 128 bits modulo 36¹⁷."""
        value = base_36(int.from_bytes(self._nir(level1.encode())[:LOCAL_BYTES], "big") % 36**NIR_ANO_WIDTH)
        return f"DEMO{value[4:]}" if self._demo else value

    def ipp_ben_ano(self, local: str) -> str:
        """Return 44 characters: base64 of 256 bits."""
        return _marked(base64.b64encode(self._ipp(local.encode())).decode(), demo=self._demo)

    def id_mam_enf(self, local: str) -> str:
        """Return 32 hexadecimal characters."""
        return _marked(self._mother(local.encode())[:LOCAL_BYTES].hex(), demo=self._demo)

    def technical(self, local: str) -> str:
        """Return 22 characters base64url."""
        return _marked(_base64url(self._technical(local.encode())[:LOCAL_BYTES]), demo=self._demo)

    def rsa_num(self, stay_key: str) -> str:
        """Return 10 digits."""
        return f"{int.from_bytes(self._rsa(stay_key.encode()), 'big') % 10**10:010d}"

    def sej_num_offset(self, level1: str) -> int:
        """Return a number of days from 0 to 99999."""
        return int.from_bytes(self._sej(level1.encode()), "big") % 100_000


def base_36(number: int) -> str:
    """Write a number below 36¹⁷ in 17 characters."""
    written = ""
    for _ in range(NIR_ANO_WIDTH):
        number, digit = divmod(number, 36)
        written = BASE_36[digit] + written
    return written


def hash_secret(secret: str) -> str:
    """Return what is kept of an API key: a random salt and a keyed digest. API keys are random, 256 bits."""
    salt = secrets.token_hex(16)
    return f"{salt}:{_secret_digest(salt, secret)}"


def same_secret(secret: str, hashed: str) -> bool:
    """Compare an API key with what was kept of it, in constant time."""
    salt, _, kept = hashed.partition(":")
    return hmac.compare_digest(_secret_digest(salt, secret).encode(), kept.encode())


def _secret_digest(salt: str, secret: str) -> str:
    return hmac.digest(salt.encode(), secret.encode(), "sha256").hex()


def _base64url(digest: bytes) -> str:
    """Return what `base64.urlsafe_b64encode` gives, without padding, in half the time."""
    return b2a_base64(digest)[: (len(digest) * 4 + 2) // 3].translate(URL_SAFE).decode()


def _marked(value: str, *, demo: bool) -> str:
    """Mark the values of a dry run; the width stays, since columns have one."""
    return f"{DEMO}{value}"[: len(value)] if demo else value
