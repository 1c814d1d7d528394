"""A FHIR Consent → what it says of research: an opposition, its end, nothing, or a reason to refuse it (DESIGN §7).

Pure. The register keeps a person in or out as a whole, so an exception, a part or a contradiction is refused with its
reason, and only the Consent that made an opposition ends it. Never quotes a Consent. Promise: P18.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

from fhir_profiles.issues import Issue, issue
from fhir_profiles.values import Entry
from streaming.naming import CONSENT, Key, keys_of, local_keys, names
from streaming.opposition import Act, Acts
from streaming.staging import resources_of
from transformers.deidentify.values import DeidentifiedBundle

Json = Mapping[str, Any]
Reading = Literal["oppose", "end", "permit", "lapsed", "partial", "unclear", "deleted", "none"]
"""`end`: a denial that is over or was an error; `lapsed`: a permission that is over; `partial`: with limits."""

SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
CATEGORY = "http://terminology.hl7.org/CodeSystem/consentcategorycodes"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
RESEARCH = frozenset({(SCOPE, "research"), (CATEGORY, "research"), (CATEGORY, "rsdid"), (CATEGORY, "rsreid")})
FOR_RESEARCH = (ACT_REASON, "HRESCH")
OPT_OUT, OPT_IN = (ACT_CODE, "OPTOUT"), (ACT_CODE, "OPTIN")
LIMITS = ("actor", "action", "securityLabel", "class", "code", "dataPeriod", "data", "provision")
PENDING = ("draft", "proposed")

NEEDS_RIGHTS = "consent-needs-rights"
REFUSED: Mapping[Reading, str] = {"partial": "consent-partial", "unclear": "consent-unclear"}


@dataclass(frozen=True, slots=True, repr=False)
class Told:
    """One Consent of a request: its entry, what it says, its key in the hospital, and the person by pseudonyms."""

    index: int
    path: str
    reading: Reading
    keys: frozenset[Key]

    @property
    def mark(self) -> frozenset[Key]:
        """Return the key by which an act remembers this Consent."""
        return frozenset(key for key in self.keys if key[0] == CONSENT)


@dataclass(slots=True, repr=False)
class Judged:
    """What becomes of the Consents of a request: entries refused, acts to begin and to end."""

    refused: dict[int, Issue] = field(default_factory=dict)
    said: dict[int, Issue] = field(default_factory=dict)
    begun: list[Told] = field(default_factory=list)
    ended: list[tuple[Told, Act]] = field(default_factory=list)


def read_consent(consent: Json, *, today: date) -> Reading:
    """Return what a Consent says of the use of data for research.

    R4: scope `research`, or a category or `provision.purpose` of research; `provision.type` of the root, else the base
    policy `OPTOUT` or `OPTIN` (`policyRule`).
    """
    provision = consent.get("provision")
    rule: Json = provision if isinstance(provision, dict) else {}
    if not _of_research(consent, rule) or consent.get("status") in PENDING:
        return "none"
    if consent.get("status") == "entered-in-error":
        return "end"
    policies = set(_codings(consent.get("policyRule"))) & {OPT_OUT, OPT_IN}
    said = {{"deny": OPT_OUT, "permit": OPT_IN}.get(str(rule.get("type")))} - {None} | policies
    if len(said) != 1 or consent.get("status") not in ("active", "inactive"):
        return "unclear"  # `rejected` is one: it does not say whether it is the permission or the denial
    denies = OPT_OUT in said
    if consent.get("status") == "inactive":
        return "end" if denies else "lapsed"
    if _is_limited(rule, today=today):
        return "partial"
    return "oppose" if denies else "permit"


def told(entries: Sequence[Entry], accepted: Iterable[int], bundles: Sequence[DeidentifiedBundle]) -> tuple[Told, ...]:
    """Return the Consents among the accepted entries, each with the pseudonyms of its person."""
    wanted = {index for index in accepted if entries[index].type == "Consent"}
    if not wanted:
        return ()
    return tuple(one for bundle in bundles if wanted & set(bundle.indices) for one in _told(entries, wanted, bundle))


def judge(consents: Sequence[Told], acts: Acts, *, finess: str, may_act: bool) -> Judged:
    """Decide on the Consents of one request of a hospital; `may_act`: the credential has the scope of rights."""
    judged = Judged()
    opposing = [one for one in consents if one.reading == "oppose"]
    for one in consents:
        mine = [act for act in acts.by_id.values() if act.reaches(finess) and one.mark & act.keys]
        code = _refusal(one, mine, acts, finess=finess, may_act=may_act, opposing=opposing)
        if code is not None:
            judged.refused[one.index] = issue(code, one.path)
        elif one.reading == "oppose":
            judged.begun.append(one)
        elif one.reading in ("end", "permit"):
            judged.ended += [(one, act) for act in mine]
        elif one.reading == "lapsed":
            judged.said[one.index] = issue("consent-lapsed", one.path)
    return judged


def _refusal(
    one: Told, mine: Sequence[Act], acts: Acts, *, finess: str, may_act: bool, opposing: Sequence[Told]
) -> str | None:
    """Return the code that refuses a Consent, None when it may do what it says."""
    if not may_act:
        return NEEDS_RIGHTS if mine or one.reading in ("oppose", *REFUSED) else None
    if one.reading in REFUSED:
        return REFUSED[one.reading]
    if one.reading == "oppose":
        return None if names(one.keys) else "person-ambiguous"
    if mine:  # its own opposition ends in so many words, never because it is gone or speaks of something else now
        return None if one.reading in ("end", "permit") else "consent-in-force"
    if one.reading not in ("end", "permit"):
        return None
    others = [act for act in acts.of(finess, one.keys) if act.finess == finess and act.kind == "opposition"]
    contradicted = one.reading == "permit" and any(names(one.keys) & other.keys for other in opposing)
    return "consent-other-act" if others or contradicted else None


def _told(entries: Sequence[Entry], wanted: set[int], bundle: DeidentifiedBundle) -> Iterator[Told]:
    """The Consents of a bundle stand in it in the order of their entries."""
    if bundle.key.startswith("resource|"):  # a DELETE
        [index] = bundle.indices
        key = (CONSENT, bundle.finess, bundle.key.partition("|")[2])
        yield Told(index, entries[index].path, "deleted", frozenset({key}))
        return
    resources = resources_of(bundle.body)
    former = {(kind, "", old) for kind, old, _ in bundle.former}
    person = keys_of(bundle.finess, [one for one in resources if one["resourceType"] in ("Patient", "Basic")]) | former
    consents = [one for one in resources if one["resourceType"] == "Consent"]
    today = datetime.now(UTC).date()
    for index, left in zip(sorted(wanted & set(bundle.indices)), consents, strict=True):
        mark = (CONSENT, bundle.finess, str(left["identifier"][0]["value"]))
        keys = person | local_keys(keys_of(bundle.finess, [left])) | {mark}
        yield Told(index, entries[index].path, read_consent(entries[index].resource or {}, today=today), keys)


def _of_research(consent: Json, rule: Json) -> bool:
    coded = {*_codings(consent.get("scope")), *_codings(consent.get("category"))}
    return bool(coded & RESEARCH) or FOR_RESEARCH in _codings(rule.get("purpose"))


def _is_limited(rule: Json, *, today: date) -> bool:
    """Say whether it holds for a part only: of the data, of the users, of the purposes, of the time."""
    period = rule.get("period")
    period = period if isinstance(period, dict) else {}
    purposes = _codings(rule.get("purpose"))
    return (
        any(name in rule for name in LIMITS)
        or "end" in period
        or str(period.get("start", ""))[:10] > today.isoformat()
        or bool(purposes and FOR_RESEARCH not in purposes)
    )


def _codings(node: object) -> list[tuple[str, str]]:
    """Return system and code of a CodeableConcept, a Coding, or a list of them."""
    if isinstance(node, list):
        return [one for part in node for one in _codings(part)]
    if not isinstance(node, dict):
        return []
    if "coding" in node:
        return _codings(node["coding"])
    return [(str(node.get("system", "")).rstrip("/"), str(node["code"]))] if "code" in node else []
