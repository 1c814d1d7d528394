"""A FHIR Patient → an act of the register: opposition, erasure, their end, and the signed receipt of each (DESIGN §7).

The Patient is read, reduced to pseudonyms by the rules of every bundle, and never stored. Who cannot be told from
others is refused with the reason. Promise: P18.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fhir_profiles.bundle import parse
from fhir_profiles.errors import Invalid, NotFound, PipelineError
from fhir_profiles.issues import Issue, issue
from fhir_profiles.positions import with_positions
from gateway.consents import REFUSED, Judged, told
from gateway.decision import Sender
from gateway.house import Yardstick
from streaming.erasure import Effect
from streaming.naming import CONSENT, Key, keys_of_act
from streaming.opposition import PLATFORM, Act, Acts, Kind, indexed
from streaming.register import Register
from streaming.staging import resources_of
from transformers.deidentify.pseudonyms import Key as Secret
from transformers.deidentify.scrub import scrub

SCOPE = "rights"
GROUNDS = ("request", "objection", "withdrawn-consent", "unlawful", "obligation", "no-longer-needed")
OBJECTION = GROUNDS[1]
KEEPING_OUT: tuple[Kind, ...] = ("opposition", "erasure")
PURPOSE = "ledger/rights-receipt"
# After its retention a segment of the log lives a day at most, and a checkpoint or a lagging replica one more.
AFTER_RETENTION_DAYS = 2
KAFKA_RETENTION_DAYS = 7


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: the kind of act, its perimeter (a FINESS, or the platform) and its ground."""

    kind: Kind
    perimeter: str
    ground: str


@dataclass(frozen=True, slots=True, repr=False)
class Done:
    """What the Consents of a request did: numbers of receipts, what is said of each entry, all acts as they are now."""

    receipts: tuple[str, ...]
    said: Mapping[int, Issue]
    acts: Acts


def keys_of_person(content: bytes, *, sender: Sender, yardstick: Yardstick, consent: bool = False) -> frozenset[Key]:
    """Return the pseudonyms of the one person that a Patient, or a Bundle of Patient and Coverage, describes.

    With `consent` the Bundle may hold the Consent that says so. Raises Malformed, TooLarge, or Invalid with the reason.
    """
    parsed = parse(content, yardstick.limits)
    kinds = {entry.type for entry in parsed.entries}
    if not kinds <= {"Patient", "Coverage", *(("Consent",) if consent else ())} or "Patient" not in kinds:
        raise Invalid(issue("person-missing"))
    verdict = yardstick.validator.validate(parsed, french_profiles="declared")
    if verdict.valid is None:
        raise Invalid(*with_positions(verdict.issues, content))
    scrubbed = scrub(
        verdict.valid, contract=sender.contract, source=sender.source, keys=sender.keys, rules=yardstick.rules
    )
    if scrubbed.refused:
        raise Invalid(*(issue(code, parsed.entries[index].path) for index, code in sorted(scrubbed.refused.items())))
    resources = [one for bundle in scrubbed.bundles for one in resources_of(bundle.body)]
    former = frozenset((kind, "", old) for bundle in scrubbed.bundles for kind, old, _ in bundle.former)
    consents = told(parsed.entries, verdict.valid.accepted, scrubbed.bundles)
    wrong = [REFUSED.get(one.reading, "consent-unclear") for one in consents if one.reading != "oppose"]
    if wrong:
        raise Invalid(issue(wrong[0]))
    try:
        keys = keys_of_act(sender.contract.finess, resources)
    except PipelineError as error:
        raise Invalid(issue(error.code)) from None
    return keys | former | {key for one in consents for key in one.mark}


def begin(asked: Asked, keys: frozenset[Key], register: Register) -> Act:
    """Keep an act; the same act on the same person again is the one that is in force. Raises Unavailable.

    What is told of the person beyond what it knows is learnt. An act of a Consent and one that was asked for otherwise
    are two, and end apart.
    """
    for known in register.acts().of(asked.perimeter, keys):
        if (known.kind, known.finess, _consents(known.keys)) == (asked.kind, asked.perimeter, _consents(keys)):
            if keys - known.keys:
                register.learn(known.id, keys - known.keys)
            return known
    act = Act(secrets.token_urlsafe(16), asked.kind, asked.perimeter, asked.ground, _now(), None, keys)
    register.keep(act)
    return act


def withdraw(number: str, perimeters: tuple[str, ...], register: Register) -> Act:
    """End an act of one of these perimeters. Raises NotFound, Unavailable."""
    act = find(number, perimeters, register)
    if act.ended is None:
        act = replace(act, ended=_now())
        register.keep(act)
    return act


def withdraw_person(
    keys: frozenset[Key], perimeter: str, register: Register, *, kinds: Container[Kind] = KEEPING_OUT
) -> tuple[Act, ...]:
    """End every act of these kinds that this perimeter holds on a person.

    Raises NotFound when there is none, Unavailable.
    """
    held = register.acts().of(perimeter, keys)
    found = [act for act in held if act.finess == perimeter and act.kind in kinds]
    if not found:
        raise NotFound(issue("receipt-unknown"))
    return tuple(withdraw(act.id, (perimeter,), register) for act in found)


def act_on(judged: Judged, register: Register, *, finess: str) -> Done:
    """Keep what the Consents of a request say: ends first, so that a new denial in place of an old one holds."""
    done: dict[str, Act] = {}
    said: dict[int, Issue] = {}
    for one, act in judged.ended:
        done[act.id] = withdraw(act.id, (act.finess,), register)
        said[one.index] = issue("consent-ended", one.path, receipt=act.id)
    for one in judged.begun:
        act = begin(Asked("opposition", finess, OBJECTION), one.keys, register)
        done[act.id] = act
        said[one.index] = issue("consent-kept", one.path, receipt=act.id)
    known = {**register.acts().by_id, **done}  # a broker may show a moment later what it has acknowledged
    return Done(tuple(done), said, indexed(known.values()))


def find(number: str, perimeters: tuple[str, ...], register: Register) -> Act:
    """Return an act of one of these perimeters. Raises NotFound, whether it is another's or nobody's."""
    act = register.acts().by_id.get(number)
    if act is None or act.finess not in perimeters:
        raise NotFound(issue("receipt-unknown"))
    return act


def receipt(act: Act, effect: Effect | None, *, retention_days: int, ledger: Secret) -> dict[str, Any]:
    """Return the signed receipt: what was asked for, what it removed so far, the last day anything can be held."""
    begun = date.fromisoformat(act.begun[:10])
    said: dict[str, Any] = {
        "id": act.id,
        "kind": act.kind,
        "perimeter": "platform" if act.finess == PLATFORM else act.finess,
        "ground": act.ground,
        "begun": act.begun,
        "ended": act.ended,
        "effect": effect and {
            "done": effect.done_at,
            "resources": effect.resources,
            "rows": effect.rows,
            "deadLetters": effect.dead_letters,
        },
        "lastDate": (begun + timedelta(days=retention_days + AFTER_RETENTION_DAYS)).isoformat(),
    }  # fmt: skip
    key = signing_key(ledger)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return said | {"publicKey": _text(public), "signature": _text(key.sign(_signed(said)))}


def is_genuine(shown: dict[str, Any], *, public: bytes) -> bool:
    """Say whether a receipt was signed by the holder of this public key and not changed since."""
    said = {name: value for name, value in shown.items() if name not in ("publicKey", "signature")}
    try:
        signature = base64.b64decode(str(shown.get("signature")), validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(signature, _signed(said))
    except (ValueError, InvalidSignature):
        return False
    return True


def signing_key(ledger: Secret) -> Ed25519PrivateKey:
    """Return the Ed25519 key of the receipts of an installation."""
    return Ed25519PrivateKey.from_private_bytes(ledger.derive(PURPOSE)(b"ed25519"))


def public_key(ledger: Secret) -> bytes:
    """Return what verifies them, 32 bytes."""
    return signing_key(ledger).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _consents(keys: frozenset[Key]) -> frozenset[Key]:
    return frozenset(key for key in keys if key[0] == CONSENT)


def _signed(said: dict[str, Any]) -> bytes:
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
