"""Record → what the event says of each resource: its key, version, person, stay, aliases and references.

Pure. Nothing is trusted: an event that does not have the shape of DESIGN §5 is `Poisoned` with a code, whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from fhir_profiles.errors import Poisoned
from streaming.event import CE_TYPE, Record
from streaming.versions import Version

RESOURCE = "urn:snds-gateway:resource"
RESOURCE_BYTES = RESOURCE.encode()
NAME = b'"resource":'
OPENING, BETWEEN, CLOSING = b'{"entry":[{', b"},{", b'}],"resourceType":"Bundle"'
END = re.compile(CLOSING.replace(b"]", rb"\]") + rb'(?:,"[a-z]+":"[^"]*")*\}')
PERSON = "urn:snds-gateway:person"
STAY = "urn:snds-gateway:stay"
FACT = "urn:snds-gateway:fact"
FLAG = "urn:snds-gateway:flag"
PSA = "urn:snds-gateway:psa"
ANO = "urn:snds-gateway:ano"
TWIN_RANK = "urn:snds-gateway:twin-rank"
CHAINING = re.compile(rb"urn:snds-gateway:(?:psa|ano)\b")
IDENTITY = "identity"
"""The kind of link by which the register finds a person: `ano:…`, or `psa:…|twin rank`."""

SOURCE = re.compile(r"/hospital/([0-9A-Z]{9})/([^/]+)")
INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,30}))?(Z|[+-]\d{2}:\d{2})")
KINDS = {"Patient": "person", "Encounter": "stay"}
STRUCTURES = frozenset({"Organization", "Location", "Medication", "Specimen", "Account"})
ENCOUNTER = "Encounter"
REFERENCE = re.compile(
    rb'\{"identifier":\{"system":"' + RESOURCE_BYTES + rb'","value":"([\w-]+)"\},"type":"(\w+)"\}', re.ASCII
)
PERSON_ELEMENTS = ("subject", "patient", "beneficiary")
STAY_ELEMENTS = ("encounter", "context")
ORIGIN = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_NS = 2**63 - 1  # what a column of the state holds
AHEAD_NS = 5 * 60 * 1_000_000_000
LARGEST_VERSION_DIGITS = 18


class Incoming(NamedTuple):
    """One entry of an event. `version` is None for the tombstone of a DELETE."""

    key: str
    type: str
    version: Version | None
    received: int

    def __repr__(self) -> str:
        return f"Incoming(type={self.type})"


@dataclass(frozen=True, slots=True, repr=False)
class Delivery:
    """Everything one event says. `ahead` counts stamps that lie too far in the future and are ignored.

    `platform` is the id of the key that made its level 1, "" when the event does not say.
    """

    finess: str
    event_id: str
    entries: tuple[Incoming, ...]
    ahead: int = 0
    platform: str = ""

    def __repr__(self) -> str:
        return f"Delivery(entries={len(self.entries)})"


@dataclass(frozen=True, slots=True, repr=False)
class Links:
    """What one resource says of others: the aliases it declares, and the structures it refers to."""

    kind: str | None
    aliases: frozenset[str]
    targets: frozenset[str]


NOBODY: frozenset[str] = frozenset()
NO_LINKS = Links(None, frozenset(), frozenset())


def read_event(record: Record) -> Delivery:
    """Read one record. Raises `Poisoned` when it can never be applied."""
    headers = record.event.headers
    if headers.get("ce_type") != CE_TYPE:
        raise Poisoned("event-type")
    source = SOURCE.fullmatch(headers.get("ce_source", ""))
    received = nanoseconds(headers.get("ce_time"))
    if source is None or received is None or not record.event.id:
        raise Poisoned("event-headers")
    try:
        bundle = orjson.loads(record.event.value)
    except orjson.JSONDecodeError:
        raise Poisoned("event-json") from None
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise Poisoned("event-shape")
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise Poisoned("event-shape")
    stamp, late = _not_ahead(nanoseconds(bundle.get("timestamp")), received)
    read: list[Incoming] = []
    for number, (resource, body) in enumerate(zip(*_bodies(record.event.value, entries), strict=True)):
        one, ahead = _incoming(resource, body, received=received, stamp=stamp, event_id=record.event.id, entry=number)
        late += ahead
        read.append(one)
    return Delivery(source[1], record.event.id, tuple(read), late, headers.get("key-id", "").partition(".")[0])


def _bodies(value: bytes, entries: list[Any]) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Return the resources of an event and the bytes of each: the event's own, which the gateway writes canonically.

    They are cut out where every entry is a resource alone and `"resource":` stands nowhere else, so that it is certain
    where one ends and the next begins; else each is written anew.
    """
    found = (entry.get("resource") if isinstance(entry, dict) else None for entry in entries)
    resources = [one for one in found if isinstance(one, dict)]
    if len(resources) != len(entries):
        raise Poisoned("event-shape")
    first, *parts = value.split(NAME)
    alone = first == OPENING and len(parts) == len(entries) == sum(map(len, entries))
    if alone and all(part.endswith(BETWEEN) for part in parts[:-1]):
        end = parts[-1].rfind(CLOSING)
        if end > 0 and END.fullmatch(parts[-1], end):
            return resources, [*(part[: -len(BETWEEN)] for part in parts[:-1]), parts[-1][:end]]
    return resources, [orjson.dumps(one, option=orjson.OPT_SORT_KEYS) for one in resources]


def nanoseconds(instant: object) -> int | None:
    """Return an instant as nanoseconds since 1970, None when it is not one.

    64 bits hold 1677 to 2262: what lies beyond is the first or the last of them.
    """
    return _nanoseconds(instant) if isinstance(instant, str) else None


@lru_cache(maxsize=1024)
def _nanoseconds(instant: str) -> int | None:
    found = INSTANT.fullmatch(instant)
    if found is None:
        return None
    try:
        since = datetime.fromisoformat(found[1] + found[3]) - ORIGIN
    except ValueError:
        return None
    exact = (since.days * 86_400 + since.seconds) * 1_000_000_000 + int((found[2] or "")[:9].ljust(9, "0"))
    return max(-LATEST_NS, min(exact, LATEST_NS))


def links_of(resource_type: str, body: bytes) -> Links:
    """Return the alias edges that a resource declares and the structures that it refers to."""
    kind = KINDS.get(resource_type)
    if resource_type == "Basic" and CHAINING.search(body):
        return _identity(orjson.loads(body))
    if kind is None:
        others = body.count(RESOURCE_BYTES) - 1
        if others < 1:  # its own identifier alone: nothing to look for
            return NO_LINKS
        found = REFERENCE.findall(body)
        if len(found) == others:  # every other one is in a reference of the usual form: no need to parse
            return Links(None, NOBODY, frozenset(key.decode() for key, name in found if name.decode() in STRUCTURES))
    resource: dict[str, Any] = orjson.loads(body)
    aliases: set[str] = set()
    if kind is not None:
        aliases.update(_identifiers(resource, PERSON if kind == "person" else STAY))
    if resource_type == "Patient":
        for link in _listed(resource.get("link")):
            aliases.update(alias for alias in [_alias(link.get("other"), PERSON)] if alias)
    targets = set(_targets(resource))
    if resource_type == ENCOUNTER:  # a newborn's stay is part of its mother's, which is another person's resource
        targets.update(_part_of(resource))
    return Links(kind, frozenset(aliases), frozenset(targets))


def _identity(fact: dict[str, Any]) -> Links:
    """How the fact `person` chains: by `ano`, and by `psa` with the twin rank; what the register may ask for."""
    chained = {f"ano:{value}" for value in _identifiers(fact, ANO)}
    for extension in _listed(fact.get("extension")):
        if extension.get("url") == TWIN_RANK:
            rank = extension.get("valuePositiveInt")
            chained |= {f"psa:{value}|{rank}" for value in _identifiers(fact, PSA)}
    return Links(IDENTITY, frozenset(chained), frozenset())


def resources_of(value: bytes) -> list[dict[str, Any]]:
    """Return the resources of an event. Raises `Poisoned`."""
    try:
        bundle = orjson.loads(value)
    except orjson.JSONDecodeError:
        raise Poisoned("event-json") from None
    entries = _listed(bundle.get("entry")) if isinstance(bundle, dict) else []
    return [entry["resource"] for entry in entries if isinstance(entry.get("resource"), dict)]


def flags_of(resource: Mapping[str, Any]) -> frozenset[str]:
    """Return the codes of `meta.tag` under our system."""
    meta = resource.get("meta")
    tags = meta.get("tag") if isinstance(meta, dict) else None
    if tags is None:  # by far the most frequent case
        return NOBODY
    return frozenset(str(tag.get("code")) for tag in _listed(tags) if tag.get("system") == FLAG)


def _incoming(
    resource: dict[str, Any], body: bytes, *, received: int, stamp: int | None, event_id: str, entry: int
) -> tuple[Incoming, int]:
    kind = resource.get("resourceType")
    key = _identifier(resource, RESOURCE)
    if not isinstance(kind, str) or key is None:
        raise Poisoned("event-resource")
    if kind == "Basic" and _fact(resource) == "deleted":
        return Incoming(key, _deleted_type(resource), None, received), 0
    meta = resource.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    updated, ahead = _not_ahead(nanoseconds(meta.get("lastUpdated")), received)
    version = Version(
        updated is not None,
        updated if updated is not None else stamp if stamp is not None else received,
        _version_id(meta.get("versionId")),
        received,
        event_id,
        entry,
        body,
        _identifier(resource, PERSON) if kind == "Patient" else _referred(resource, PERSON_ELEMENTS, PERSON),
        _identifier(resource, STAY) if kind == ENCOUNTER else _referred(resource, STAY_ELEMENTS, STAY),
    )
    return Incoming(key, kind, version, received), ahead


def _not_ahead(stamp: int | None, received: int) -> tuple[int | None, int]:
    """A clock that runs ahead would win over every later correction: such a stamp is ignored, and counted."""
    if stamp is not None and stamp > received + AHEAD_NS:
        return None, 1
    return stamp, 0


def _version_id(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= LARGEST_VERSION_DIGITS:
        return int(value)
    return -1


def _referred(resource: Mapping[str, Any], elements: tuple[str, ...], system: str) -> str | None:
    """Return the first alias under a system to which one of these elements refers."""
    for name in elements:
        found = resource.get(name)
        if found is None:
            continue
        for reference in (found,) if isinstance(found, dict) else _listed(found):
            if alias := _alias(reference, system):
                return alias
    return None


def _fact(resource: Mapping[str, Any]) -> str | None:
    code = resource.get("code")
    codings = _listed(code.get("coding")) if isinstance(code, dict) else []
    return next((coding.get("code") for coding in codings if coding.get("system") == FACT), None)


def _deleted_type(resource: Mapping[str, Any]) -> str:
    for extension in _listed(resource.get("extension")):
        if extension.get("url") == "urn:snds-gateway:type" and isinstance(extension.get("valueCode"), str):
            return str(extension["valueCode"])
    return "Basic"


def _alias(reference: object, system: str) -> str | None:
    identifier = reference.get("identifier") if isinstance(reference, dict) else None
    if isinstance(identifier, dict) and identifier.get("system") == system:
        value = identifier.get("value")
        return value if isinstance(value, str) else None
    return None


def _identifier(resource: Mapping[str, Any], system: str) -> str | None:
    """Return the first value under a system; the one of every resource, so no list is made of the others."""
    listed = resource.get("identifier")
    for one in listed if isinstance(listed, list) else _listed(listed):
        if isinstance(one, dict) and one.get("system") == system and isinstance(value := one.get("value"), str):
            return value
    return None


def _identifiers(resource: Mapping[str, Any], system: str) -> list[str]:
    return [
        one["value"]
        for one in _listed(resource.get("identifier"))
        if one.get("system") == system and isinstance(one.get("value"), str)
    ]


def _listed(value: object) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value]
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _part_of(encounter: Mapping[str, Any]) -> Iterator[str]:
    for reference in _listed(encounter.get("partOf")):
        for extension in _listed(reference.get("extension")):
            if extension.get("url") == RESOURCE and isinstance(extension.get("valueString"), str):
                yield extension["valueString"]


def _targets(node: object) -> Iterator[str]:
    """Find every reference to a structure, wherever it stands."""
    if isinstance(node, dict):
        kind = node.get("type")
        if isinstance(kind, str) and kind in STRUCTURES and (target := _alias(node, RESOURCE)):
            yield target
        for value in node.values():
            if isinstance(value, (dict, list)):
                yield from _targets(value)
    elif isinstance(node, list):
        for value in node:
            if isinstance(value, (dict, list)):
                yield from _targets(value)
