"""`quarantine find`: inside the hospital, which stays are a Patient's or an Encounter's, and why one is in quarantine.

The file is read, turned into local aliases with the hospital's keys, and forgotten: nothing of it is shown or kept,
and no number or pseudonym of a table is shown, so that no screen holds both an identity and its pseudonym.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from fhir_profiles.bundle import parse
from fhir_profiles.errors import PipelineError
from fhir_profiles.limits import Limits
from fhir_profiles.values import ValidBundle
from gateway.access import KEYS, Access
from gateway.cli import screen
from gateway.cli.acts import record
from gateway.cli.dead_letters import opened_state
from streaming.quarantine import StayFound, stays_of
from transformers.contract import Contract
from transformers.deidentify.keys import load_gateway_keys
from transformers.deidentify.rules import load_rules
from transformers.deidentify.scrub import scrub
from transformers.snds.elements import PERSON, STAY, identifiers
from transformers.snds.quarantine import REASONS


def find(data_dir: Path, finess: str, file: Path, *, source: str, language: str, as_json: bool) -> int:
    """Show the stays that a FHIR Patient or Encounter stands for; 1 when none is known."""
    contract = Access(data_dir).contract(finess) or Contract(finess=finess)
    aliases = _aliases(file, contract, source=source, keys=data_dir / KEYS)
    with opened_state(data_dir) as state:
        found = stays_of(state.connection, finess, persons=aliases[PERSON], stays=aliases[STAY])
    record(data_dir, "quarantine find", hospital=finess, found=len(found))
    if as_json:
        for one in found:
            screen.write_json(_told(one, language))
    elif found:
        rows = [
            (one.status, str(one.exit_year or ""), one.reason, _text(one, language), one.event_id, one.entry)
            for one in found
        ]
        heads = ("status", "year", "reason", "repair", "event", "entry")
        screen.console().print(screen.grid(None, heads, rows, right="entry"))
    else:
        screen.complain("no stay of this person or visit is known")
    return int(not found)


def _aliases(file: Path, contract: Contract, *, source: str, keys: Path) -> dict[str, set[str]]:
    """Return the local aliases of persons and stays that the resource in a file declares."""
    parsed = parse(file.read_bytes(), Limits())
    if not parsed.entries:
        raise PipelineError("resource-missing")
    valid = ValidBundle(parsed, tuple(range(len(parsed.entries))))
    scrubbed = scrub(
        valid, contract=contract, source=source, keys=load_gateway_keys(keys, contract.finess), rules=load_rules()
    )
    found: dict[str, set[str]] = {PERSON: set(), STAY: set()}
    for bundle in scrubbed.bundles:
        for entry in orjson.loads(bundle.body)["entry"]:
            resource = entry["resource"]
            kind = {"Patient": PERSON, "Encounter": STAY}.get(resource["resourceType"])
            if kind:
                found[kind].update(identifiers(resource, kind))
    return found


def _told(one: StayFound, language: str) -> dict[str, Any]:
    return {
        "status": one.status,
        "exit_year": one.exit_year,
        "reason": one.reason,
        "repair": _text(one, language) or None,
        "event": one.event_id,
        "entry": one.entry,
    }


def _text(one: StayFound, language: str) -> str:
    text = REASONS.get(one.reason or "")
    return str(getattr(text, language)) if text else ""
