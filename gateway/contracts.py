"""D/hospitals.toml, D/units and D/credentials.toml → `Hospitals`: contracts by FINESS, and who may call.

Read at start and when asked anew; an unknown name, a bad FINESS or an unknown switch is `Misconfigured`. Every term
is a field of `transformers.contract.Contract` and is documented in docs/configuration.md. Promises: P19, P23.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from fhir_profiles.errors import Misconfigured
from gateway import credentials, toml_file
from gateway.credentials import Credential, checked_finess, load_credentials
from gateway.units import read_units, unit_file
from transformers.contract import POTENTIAL_IDENTIFIERS, Contract
from transformers.deidentify.pseudonyms import same_secret

__all__ = ["Credential", "Hospitals", "load_contracts", "load_hospitals"]

FILE = "hospitals.toml"
VERSION = 1
API_KEY = re.compile(r"sgk_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")
NOBODY = "0" * 32 + ":" + "0" * 64
NAMED = {bool: "true or false", int: "a whole number", str: "a text"}


def now_utc() -> datetime:
    """Return the time of the machine."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Hospitals:
    """Contracts by FINESS, and credentials by the id that their API keys begin with."""

    contracts: Mapping[str, Contract]
    credentials: tuple[Credential, ...]
    by_key_id: Mapping[str, Credential] = field(default_factory=dict, repr=False)

    def find(self, secret: str, *, now: Callable[[], datetime] = now_utc) -> Credential | None:
        """Return whose API key this is; None for nobody's and for an expired one.

        Always one comparison in constant time, whether the id of the key is known or not.
        """
        shape = API_KEY.fullmatch(secret)
        found = self.by_key_id.get(shape[1]) if shape else None
        same = same_secret(secret, found.hashed if found else NOBODY)
        if found is None or not same or (found.expires is not None and found.expires <= now()):
            return None
        return found


def load_hospitals(data_dir: Path) -> Hospitals:
    """Read everything that the platform agreed with hospitals. Raises Misconfigured."""
    contracts = load_contracts(data_dir)
    keys = load_credentials(data_dir)
    for one in keys:
        if one.finess not in contracts:
            raise Misconfigured("contract-missing", f"{credentials.FILE}: {one.finess} has a key and no contract")
    return Hospitals(contracts, keys, {one.key_id: one for one in keys})


def load_contracts(data_dir: Path) -> dict[str, Contract]:
    """Read D/hospitals.toml and the unit tables. Raises Misconfigured."""
    found = contracts_of(toml_file.read_toml(data_dir / FILE))
    tables = {finess: unit_file(data_dir, finess) for finess in found}
    return {
        finess: replace(contract, units=read_units(tables[finess])) if tables[finess].exists() else contract
        for finess, contract in found.items()
    }


def contracts_of(document: Mapping[str, Any]) -> dict[str, Contract]:
    """Check the content of D/hospitals.toml. Raises Misconfigured."""
    toml_file.refuse_unknown(document, ("version", "hospital"), FILE)
    if document.get("version") != VERSION:
        raise Misconfigured("contract-version", f"{FILE}: version = {VERSION} is expected")
    listed = toml_file.tables(document.get("hospital", {}), f"{FILE}: hospital")
    return {finess: _contract(finess, terms) for finess, terms in listed}


def terms_of_contracts() -> dict[str, Any]:
    """Return the terms that stand in D/hospitals.toml, with their types."""
    return {name: hint for name, hint in get_type_hints(Contract).items() if name not in ("finess", "units")}


def checked_switches(words: list[str], place: str) -> frozenset[str]:
    """Return the potential identifiers that are on. Raises Misconfigured for an unknown one."""
    if set(words) - set(POTENTIAL_IDENTIFIERS):
        raise Misconfigured("switch-unknown", f"{place}: {', '.join(POTENTIAL_IDENTIFIERS)} exist")
    return frozenset(words)


def _contract(finess: str, terms: Mapping[str, Any]) -> Contract:
    place = f"{FILE}: hospital.{checked_finess(finess, FILE)}"
    hints = terms_of_contracts()
    toml_file.refuse_unknown(terms, hints, place)
    values = {name: _value(f"{place}.{name}", hints[name], given) for name, given in terms.items()}
    return Contract(finess=finess, **values)


def _value(place: str, hint: Any, given: object) -> Any:  # noqa: ANN401 — a contract's field of any type
    """Check one value against the type of its field."""
    choices = get_args(hint)
    if NoneType in choices:  # a term that may be left out
        return _value(place, next(one for one in choices if one is not NoneType), given)
    if hint in NAMED:
        if type(given) is not hint:
            raise Misconfigured("value-invalid", f"{place}: {NAMED[hint]} is expected")
        return given
    if choices and all(isinstance(word, str) for word in choices):
        if given not in choices:
            raise Misconfigured("value-invalid", f"{place}: one of {', '.join(choices)} is expected")
        return given
    words = toml_file.words(given, place)
    if place.endswith(".potential_identifiers"):
        return checked_switches(words, place)
    return (frozenset if hint == frozenset[str] else tuple)(words)
