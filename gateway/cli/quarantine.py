"""`quarantine find`: inside the hospital, which stays are a Patient's or an Encounter's, and why one is in quarantine.

The file is read, turned into local aliases with the hospital's keys, and forgotten: nothing of it is shown or kept,
and no number or pseudonym of a table is shown, so that no screen holds both an identity and its pseudonym.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from fhir_profiles.bundle import parse
from fhir_profiles.limits import Limits
from fhir_profiles.values import ValidBundle
from gateway.access import KEYS, Access
from gateway.cli import screen
from gateway.cli.acts import record
from gateway.cli.dead_letters import opened_state
from gateway.cli.quality_words import Language, word
from gateway.cli.refusals import InputRefusedError, check_hospital
from streaming.quarantine import StayFound, stays_of
from transformers.contract import Contract
from transformers.deidentify.keys import load_gateway_keys
from transformers.deidentify.rules import load_rules
from transformers.deidentify.scrub import scrub
from transformers.snds.elements import PERSON, STAY, identifiers
from transformers.snds.quarantine import REASONS

NOT_FOUND = {
    "fr": "aucun séjour de cette personne ou de cette venue n'est connu (l'identifiant dépend de --source)",
    "en": "no stay of this person or visit is known (its id depends on --source)",
}
HEADS = {
    "fr": ("devenir", "année", "motif", "réparation", "événement", "entry"),
    "en": ("status", "year", "reason", "repair", "event", "entry"),
}


def find(
    data_dir: Path, finess: str, file: Path, *, wanted: str, source: str, language: Language, as_json: bool
) -> int:
    """Show the stays that a FHIR Patient or Encounter (`wanted`) stands for; 1 when none is known."""
    check_hospital(data_dir, finess)
    contract = Access(data_dir).contract(finess) or Contract(finess=finess)
    aliases = _aliases(file, contract, wanted=wanted, source=source, keys=data_dir / KEYS)
    with opened_state(data_dir) as state:
        found = stays_of(state.connection, finess, persons=aliases[PERSON], stays=aliases[STAY])
    record(data_dir, "quarantine find", hospital=finess, found=len(found))
    if as_json:
        for one in found:
            screen.write_json(_told(one, language))
    elif found:
        rows = [
            (
                word(one.status, language), str(one.exit_year or ""), one.reason, _text(one, language), one.event_id,
                one.entry,
            )
            for one in found
        ]  # fmt: skip
        screen.console().print(screen.grid(None, HEADS[language], rows, right="entry"))
    else:
        screen.complain(NOT_FOUND[language])
    return int(not found)


def _aliases(file: Path, contract: Contract, *, wanted: str, source: str, keys: Path) -> dict[str, set[str]]:
    """Return the local aliases of persons and stays that the resource in a file declares. Raises InputRefusedError."""
    parsed = parse(file.read_bytes(), Limits())
    if all(entry.type != wanted for entry in parsed.entries):
        option = "--patient" if wanted == "Patient" else "--visit"
        raise InputRefusedError("resource-missing", f"{file.name} holds no {wanted}: {option} takes a FHIR {wanted}")
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


def _told(one: StayFound, language: Language) -> dict[str, Any]:
    return {
        "status": one.status,
        "exit_year": one.exit_year,
        "reason": one.reason,
        "repair": _text(one, language) or None,
        "event": one.event_id,
        "entry": one.entry,
    }


def _text(one: StayFound, language: Language) -> str:
    text = REASONS.get(one.reason or "")
    return str(getattr(text, language)) if text else ""
