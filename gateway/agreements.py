"""Contracts and credentials → files: what `snds-gateway init` and `hospital …` write, `contracts.py` reads back.

Contracts are appended, so that what an operator wrote by hand stays. An API key is made here, written once to
D/credentials (0600) for the hospital, and kept nowhere else.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway import credentials
from gateway.contracts import FILE, VERSION, terms_of_contracts
from gateway.credentials import Credential
from gateway.files import OWNER_ONLY, READABLE_BY_GROUP, write_whole
from transformers.contract import Contract
from transformers.deidentify.pseudonyms import hash_secret

HEAD = f"""# The contract of each hospital. docs/configuration.md explains every term; `snds-gateway config check` says
# whether this file is right. API keys are not here: see `snds-gateway hospital list`.
version = {VERSION}
"""
CREDENTIALS_HEAD = "# Written by `snds-gateway hospital …`: digests of API keys, never a key.\n"


def append_contract(data_dir: Path, contract: Contract) -> None:
    """Add one hospital to D/hospitals.toml."""
    file = data_dir / FILE
    before = file.read_text(encoding="utf-8") if file.exists() else HEAD
    lines = [f"\n[hospital.{contract.finess}]"]
    terms = {name: getattr(contract, name) for name in terms_of_contracts()}
    lines += [f"{name} = {_toml(value)}" for name, value in terms.items() if value is not None]
    write_whole(file, before.rstrip("\n") + "\n" + "\n".join(lines) + "\n", mode=READABLE_BY_GROUP)


def new_api_key(taken: Iterable[str]) -> tuple[str, str]:
    """Return an API key and the id it begins with: 256 random bits behind 8 characters that are no secret."""
    known = set(taken)
    while (key_id := secrets.token_hex(4)) in known:
        pass
    return f"sgk_{key_id}_{secrets.token_urlsafe(32)}", key_id


def add_credential(
    data_dir: Path, listed: tuple[Credential, ...], *, finess: str, source: str, scopes: frozenset[str]
) -> Path:
    """Make an API key for one source of a hospital; return the file that holds it."""
    secret, key_id = new_api_key(one.key_id for one in listed)
    made = Credential(key_id, finess, source, scopes, hash_secret(secret))
    return _keep(data_dir, (*listed, made), made, secret)


def rotate_credential(
    data_dir: Path, listed: tuple[Credential, ...], *, finess: str, source: str, old_until: datetime | None
) -> Path:
    """Make a new API key for a source; the older ones end now, or at `old_until`."""
    older = [one for one in listed if (one.finess, one.source) == (finess, source)]
    secret, key_id = new_api_key(one.key_id for one in listed)
    made = replace(older[-1], key_id=key_id, hashed=hash_secret(secret), expires=None)
    kept: list[Credential] = []
    for one in listed:
        if one not in older:
            kept.append(one)
            continue
        if one is older[0]:
            kept.append(made)
        if old_until is not None and (one.expires is None or one.expires > old_until):
            kept.append(replace(one, expires=old_until))
    return _keep(data_dir, tuple(kept), made, secret)


def key_file(data_dir: Path, listed: Iterable[Credential], finess: str, source: str) -> Path:
    """Return where the API key of a source is written: FINESS.key for the first one, else FINESS-SOURCE.key."""
    first = next((one.source for one in listed if one.finess == finess), source)
    return data_dir / "credentials" / (f"{finess}.key" if source == first else f"{finess}-{source}.key")


def _keep(data_dir: Path, listed: tuple[Credential, ...], made: Credential, secret: str) -> Path:
    file = key_file(data_dir, listed, made.finess, made.source)
    write_whole(file, secret + "\n", mode=OWNER_ONLY)
    write_whole(data_dir / credentials.FILE, _document(listed), mode=OWNER_ONLY)
    return file


def _document(listed: Iterable[Credential]) -> str:
    lines = [CREDENTIALS_HEAD]
    for one in listed:
        lines += [
            f"[key.{one.key_id}]",
            f"finess = {_toml(one.finess)}",
            f"source = {_toml(one.source)}",
            f"scopes = {_toml(one.scopes)}",
            f"hashed = {_toml(one.hashed)}",
        ]
        if one.expires is not None:
            lines.append(f"expires = {one.expires.isoformat()}")
        lines.append("")
    return "\n".join(lines)


def _toml(value: Any) -> str:  # noqa: ANN401 — a field of a contract
    """Write a TOML value; texts are checked to be printable, so that JSON's escapes are TOML's."""
    if isinstance(value, frozenset):
        value = sorted(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)
