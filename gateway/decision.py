"""Bytes of one known caller → what becomes of them: events to publish, counts, issues. Pure; nothing is published here.

    parse ─▶ validate ─▶ service provider ─▶ scrub ═▶ events

All or nothing, but for a batch, which is decided entry by entry. The raw bytes end here. Promise: P7, P13.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from fhir_profiles.bundle import parse
from fhir_profiles.errors import Forbidden, Invalid, Refused, TooLarge
from fhir_profiles.french.finess import foreign_providers
from fhir_profiles.issues import Issue, issue
from fhir_profiles.positions import with_positions
from fhir_profiles.values import ParsedBundle, RawBundle, Verdict
from gateway.consents import NEEDS_RIGHTS, Told, told
from gateway.exchange import Target
from gateway.house import Yardstick
from streaming.broker import Counts
from streaming.event import MAX_EVENT_BYTES, Event, event_of
from transformers.contract import Contract
from transformers.deidentify.keys import GatewayKeys
from transformers.deidentify.scrub import scrub
from transformers.deidentify.values import Former

NOTHING: Mapping[int, Issue] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Sender:
    """The hospital whose bytes they are: its contract, the source that sends, its keys."""

    contract: Contract
    source: str
    keys: GatewayKeys


@dataclass(frozen=True, slots=True, repr=False)
class Decision:
    """What becomes of one request.

    `refusal` is why the whole of it is refused, else None; then `entry_issues` says of each entry what was found, and
    `refused` which ones (of a batch) go no further. `carried` are the entries that each event carries, `former` what
    its person was called under replaced keys; `dropped` counts what the rules left out, by rule; `consents` are those
    that may be acts on a person's rights.
    """

    counts: Counts
    kind: str = "single"
    entries: int = 0
    events: tuple[Event, ...] = ()
    carried: tuple[tuple[int, ...], ...] = ()
    former: tuple[tuple[Former, ...], ...] = ()
    receipt: str = ""
    refusal: Refused | None = None
    bundle_issues: tuple[Issue, ...] = ()
    entry_issues: Mapping[int, tuple[Issue, ...]] = field(default_factory=dict)
    refused: frozenset[int] = frozenset()
    dropped: Mapping[str, int] = field(default_factory=dict)
    consents: tuple[Told, ...] = ()

    def __repr__(self) -> str:
        return f"Decision(entries={self.entries}, refused={len(self.refused)}, events={len(self.events)})"


def decide(
    raw: RawBundle,
    target: Target,
    *,
    sender: Sender,
    yardstick: Yardstick,
    received_at: datetime,
    placed: bool,
    refusing: Mapping[int, Issue] = NOTHING,
) -> Decision:
    """Decide on one request. `placed` asks for lines and columns on the issues of an accepted one too.

    `refusing` are entries that go no further, whatever is found in them (a Consent that is no act of this caller).
    """
    finess = sender.contract.finess
    try:
        parsed = parse(
            raw.content,
            yardstick.limits,
            expected_type=target.expected_type,
            method=target.method,
            resource_id=target.resource_id,
        )
    except Refused as refusal:
        return Decision(Counts(finess, received=1, refused=1), refusal=_placed(refusal, raw))
    try:
        decision = _judge(parsed, sender=sender, yardstick=yardstick, received_at=received_at, refusing=refusing)
    except Refused as refusal:
        total = len(parsed.entries)
        receipt = sender.keys.ledger.receipt(finess, parsed.canonical)
        counts = Counts(finess, received=total, refused=total)
        return Decision(counts, parsed.kind, total, receipt=receipt, refusal=_placed(refusal, raw))
    return _with_places(decision, raw) if placed or decision.refused else decision


def _judge(
    parsed: ParsedBundle, *, sender: Sender, yardstick: Yardstick, received_at: datetime, refusing: Mapping[int, Issue]
) -> Decision:
    """Validate, check the provider, scrub. Raises Refused when the whole is refused."""
    contract = sender.contract
    verdict = yardstick.validator.validate(parsed, french_profiles=contract.french_profiles)
    receipt = sender.keys.ledger.receipt(contract.finess, parsed.canonical)
    if any(one.blocks for one in verdict.bundle_issues) or (verdict.valid is None and parsed.all_or_nothing):
        raise Invalid(*verdict.issues)
    _check_providers(parsed, contract)
    verdict = _without(verdict, refusing, parsed)
    found: defaultdict[int, tuple[Issue, ...]] = defaultdict(tuple, verdict.entry_issues)
    total = len(parsed.entries)
    refused = _refused_by(verdict, total)
    events: tuple[Event, ...] = ()
    carried: tuple[tuple[int, ...], ...] = ()
    former: tuple[tuple[Former, ...], ...] = ()
    dropped: Mapping[str, int] = {}
    consents: tuple[Told, ...] = ()
    if verdict.valid is not None and verdict.valid.accepted:
        scrubbed = scrub(
            verdict.valid, contract=contract, source=sender.source, keys=sender.keys, rules=yardstick.rules
        )
        for index, code in scrubbed.refused.items():
            found[index] += (issue(code, parsed.entries[index].path, severity="error"),)
        refused |= scrubbed.refused.keys()
        if scrubbed.refused and parsed.all_or_nothing:
            raise Invalid(*verdict.bundle_issues, *(one for index in sorted(found) for one in found[index]))
        dropped = scrubbed.dropped
        carried = tuple(bundle.indices for bundle in scrubbed.bundles)
        former = tuple(bundle.former for bundle in scrubbed.bundles)
        for index in sorted({*verdict.valid.accepted} - refused - {index for one in carried for index in one}):
            found[index] += (issue("nothing-leaves", parsed.entries[index].path),)
        consents = told(parsed.entries, verdict.valid.accepted, scrubbed.bundles)
        events = tuple(
            event_of(
                bundle,
                ledger=sender.keys.ledger,
                received_at=received_at,
                definitions_version=yardstick.validator.definitions_version,
            )
            for bundle in scrubbed.bundles
        )
        if any(len(event.value) > MAX_EVENT_BYTES for event in events):
            raise TooLarge(issue("event-too-large", limit=str(MAX_EVENT_BYTES)))
    return Decision(
        Counts(contract.finess, received=total, refused=len(refused), published=total - len(refused)),
        parsed.kind,
        total,
        events=events,
        carried=carried,
        former=former,
        receipt=receipt,
        bundle_issues=verdict.bundle_issues,
        entry_issues=found,
        refused=frozenset(refused),
        dropped=dropped,
        consents=consents,
    )


def _without(verdict: Verdict, refusing: Mapping[int, Issue], parsed: ParsedBundle) -> Verdict:
    """Return the verdict without these entries. Raises Refused when one of them refuses the whole."""
    if not refusing or verdict.valid is None:
        return verdict
    if parsed.all_or_nothing:
        lacks_rights = any(one.code == NEEDS_RIGHTS for one in refusing.values())
        raise (Forbidden if lacks_rights else Invalid)(*refusing.values())
    issues = {
        index: (*verdict.entry_issues.get(index, ()), *((refusing[index],) if index in refusing else ()))
        for index in {*verdict.entry_issues, *refusing}
    }
    accepted = tuple(index for index in verdict.valid.accepted if index not in refusing)
    return Verdict(verdict.bundle_issues, issues, replace(verdict.valid, accepted=accepted))


def with_said(decision: Decision, said: Mapping[int, Issue]) -> Decision:
    """Return the decision with one more issue on some of its entries."""
    issues = {
        **decision.entry_issues,
        **{index: (*decision.entry_issues.get(index, ()), said[index]) for index in said},
    }
    return replace(decision, entry_issues=issues) if said and decision.refusal is None else decision


def _check_providers(parsed: ParsedBundle, contract: Contract) -> None:
    """A bundle that describes the activity of another hospital is refused as a whole (DESIGN §8)."""
    own = {contract.finess, *(unit.finess_geo for unit in contract.units.values())}
    foreign = foreign_providers(parsed, own)
    if foreign:
        raise Forbidden(*(issue("service-provider-foreign", parsed.entries[index].path) for index in foreign))


def _refused_by(verdict: Verdict, total: int) -> set[int]:
    accepted = set(verdict.valid.accepted) if verdict.valid is not None else set()
    return set(range(total)) - accepted


def _placed(refusal: Refused, raw: RawBundle) -> Refused:
    """Return the same refusal with line and column of each issue in the bytes sent."""
    return type(refusal)(*_places(refusal.issues, raw))


def _places(issues: Iterable[Issue], raw: RawBundle) -> tuple[Issue, ...]:
    return with_positions(issues, raw.content)


def _with_places(decision: Decision, raw: RawBundle) -> Decision:
    """Place every issue in one pass over the bytes."""
    keys = [(index, one) for index in sorted(decision.entry_issues) for one in decision.entry_issues[index]]
    placed = _places([*decision.bundle_issues, *(one for _, one in keys)], raw)
    count = len(decision.bundle_issues)
    found: defaultdict[int, tuple[Issue, ...]] = defaultdict(tuple)
    for (index, _), one in zip(keys, placed[count:], strict=True):
        found[index] += (one,)
    return replace(decision, bundle_issues=placed[:count], entry_issues=found)
