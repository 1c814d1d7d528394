"""D/credentials.toml → who may call: API keys by the id they begin with, their hospital, source, scopes, expiry.

Only a salted keyed digest of each key is kept. The file is written by `snds-gateway hospital …`. Promise: P19.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from fhir_profiles.errors import Misconfigured
from gateway.toml_file import read_toml, refuse_unknown, tables, words

FILE = "credentials.toml"
SCOPES = ("write", "validate", "rights", "rights-platform", "operate")
FINESS = re.compile(r"\d[0-9AB]\d{7}")
SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
HASHED = re.compile(r"[0-9a-f]{32}:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Credential:
    """One API key: whose it is, for which source, what it may do. `hashed` is all that is kept of the secret."""

    key_id: str
    finess: str
    source: str
    scopes: frozenset[str]
    hashed: str = field(repr=False)
    expires: datetime | None = None


def load_credentials(data_dir: Path) -> tuple[Credential, ...]:
    """Read the API keys of an installation. Raises Misconfigured."""
    document = read_toml(data_dir / FILE)
    refuse_unknown(document, ("key",), FILE)
    return tuple(_credential(key_id, row) for key_id, row in tables(document.get("key", {}), f"{FILE}: key"))


def checked_finess(value: object, place: str) -> str:
    """Return a FINESS: 9 characters, a department first. Its check digit is not looked at: real ones fail it."""
    if not isinstance(value, str) or not FINESS.fullmatch(value):
        raise Misconfigured("finess-invalid", f"{place}: a FINESS has 9 characters, such as 750712184")
    return value


def checked_source(value: object, place: str) -> str:
    """Return the name of a source: it stands in `ce_source`, in file names and in the audit."""
    if not isinstance(value, str) or not SOURCE.fullmatch(value):
        raise Misconfigured("source-invalid", f"{place}: letters, digits, dot, dash, underscore; 32 at most")
    return value


def checked_scopes(given: list[str], place: str) -> frozenset[str]:
    """Return scopes. Raises Misconfigured for an unknown one, and for none."""
    if not given or set(given) - set(SCOPES):
        raise Misconfigured("scope-unknown", f"{place}: {', '.join(SCOPES)} exist")
    return frozenset(given)


def _credential(key_id: str, row: Mapping[str, Any]) -> Credential:
    place = f"{FILE}: key.{key_id}"
    refuse_unknown(row, ("finess", "source", "scopes", "hashed", "expires"), place)
    hashed, expires = row.get("hashed"), row.get("expires")
    if not isinstance(hashed, str) or not HASHED.fullmatch(hashed):
        raise Misconfigured("value-invalid", f"{place}.hashed is not what snds-gateway writes")
    if expires is not None and (not isinstance(expires, datetime) or expires.tzinfo is None):
        raise Misconfigured("value-invalid", f"{place}.expires: a date and time with an offset is expected")
    return Credential(
        key_id=key_id,
        finess=checked_finess(row.get("finess"), f"{place}.finess"),
        source=checked_source(row.get("source"), f"{place}.source"),
        scopes=checked_scopes(words(row.get("scopes"), f"{place}.scopes"), f"{place}.scopes"),
        hashed=hashed,
        expires=expires,
    )
