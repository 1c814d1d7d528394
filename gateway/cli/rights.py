"""`rights …`: a Patient in a file → an act of the register and its receipt. Nothing of the file is shown or kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson

from fhir_profiles.errors import Misconfigured
from fhir_profiles.limits import Limits
from fhir_profiles.validator import load_validator
from gateway import rights
from gateway.cli import screen
from gateway.cli.acts import record
from gateway.connections import kafka_connection
from gateway.contracts import load_contracts
from gateway.decision import Sender
from gateway.house import Yardstick
from gateway.rights_endpoint import effect_of, retention_days
from gateway.settings import Settings, load_settings
from streaming.factory import open_register
from streaming.naming import Key
from streaming.opposition import PLATFORM, Kind
from streaming.register import Register
from transformers.deidentify.keys import LEDGER, load_gateway_keys, read_key
from transformers.deidentify.rules import load_rules

KEYS = "keys"


def begin(
    data_dir: Path,
    finess: str,
    patient: Path,
    *,
    kind: Kind,
    source: str,
    platform: bool,
    ground: str = rights.GROUNDS[0],
) -> int:
    """Keep an act and print its number."""
    keys = _keys(data_dir, finess, patient, source, consent=kind == "opposition")
    perimeter = PLATFORM if platform else finess
    with opened_register(data_dir) as (register, _):
        act = rights.begin(rights.Asked(kind, perimeter, ground), keys, register)
    record(data_dir, f"rights {kind}", hospital=finess, receipt=act.id)
    screen.write_json({"id": act.id})
    return 0


def withdraw(
    data_dir: Path,
    finess: str,
    patient: Path,
    *,
    source: str,
    platform: bool,
    kinds: tuple[Kind, ...] = rights.KEEPING_OUT,
) -> int:
    """End the acts of these kinds on a person and print their numbers."""
    keys = _keys(data_dir, finess, patient, source)
    with opened_register(data_dir) as (register, _):
        ended = rights.withdraw_person(keys, PLATFORM if platform else finess, register, kinds=kinds)
    for act in ended:
        record(data_dir, "rights withdraw", hospital=finess, receipt=act.id)
        screen.write_json({"id": act.id})
    return 0


def show(data_dir: Path, number: str, *, verify: bool) -> int:
    """Show a receipt; with `verify`, compare the one on standard input."""
    if verify:
        ledger = read_key(data_dir / KEYS / LEDGER)
        return _verify(sys.stdin.buffer.read(), number, public=rights.public_key(ledger))
    shown = receipt_of(data_dir, number)
    if shown is None:
        screen.complain("no act has this number")
        return 1
    screen.write_json(shown)
    return 0


def receipt_of(data_dir: Path, number: str) -> dict[str, Any] | None:
    """Return the signed receipt of an act, None when no act has this number. Raises Misconfigured, Unavailable."""
    ledger = read_key(data_dir / KEYS / LEDGER)
    with opened_register(data_dir) as (register, settings):
        act = register.acts().by_id.get(number)
        if act is None:
            return None
        return rights.receipt(act, effect_of(act, settings), retention_days=retention_days(settings), ledger=ledger)


def _verify(content: bytes, number: str, *, public: bytes) -> int:
    try:
        shown: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        shown = None
    if not isinstance(shown, dict) or shown.get("id") != number or not rights.is_genuine(shown, public=public):
        screen.complain("this receipt was not signed here, or was changed since")
        return 1
    screen.console().print("[green]✓[/green] signed by this installation and unchanged")
    return 0


def _keys(data_dir: Path, finess: str, patient: Path, source: str, *, consent: bool = False) -> frozenset[Key]:
    """Return the pseudonyms of the person. Raises Misconfigured, Refused."""
    contract = load_contracts(data_dir).get(finess)
    if contract is None:
        raise Misconfigured("contract-missing", f"{finess} has no contract: snds-gateway hospital add")
    sender = Sender(contract, source, load_gateway_keys(data_dir / KEYS, finess))
    yardstick = Yardstick(Limits(), load_validator(), load_rules())
    return rights.keys_of_person(patient.read_bytes(), sender=sender, yardstick=yardstick, consent=consent)


@contextmanager
def opened_register(data_dir: Path) -> Iterator[tuple[Register, Settings]]:
    """Open the register of an installation with its settings, and close it. Raises Misconfigured, Unavailable."""
    settings = load_settings(data_dir, os.environ)
    kafka = kafka_connection(settings) if settings.broker == "kafka" else None
    with closing(open_register(data_dir, kafka=kafka)) as register:
        yield register, settings
