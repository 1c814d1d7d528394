"""Reading de-identified FHIR elements: codings, references by alias or key, extensions, order of versions. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from transformers.snds.view import Staged

GATEWAY = "urn:snds-gateway:"
PERSON = GATEWAY + "person"
STAY = GATEWAY + "stay"
RESOURCE = GATEWAY + "resource"
FACT = GATEWAY + "fact"
UNIT = GATEWAY + "unit"
LOCAL = GATEWAY + "local"
REMOVED = frozenset({"entered-in-error", "cancelled"})

Json = Mapping[str, Any]
Codings = tuple[tuple[str, str], ...]


def codings(concept: Json | Sequence[Json] | None) -> Codings:
    """Return (system, code) of a CodeableConcept, of a list of them, or of nothing: what decisions are cached by."""
    if not concept:
        return ()
    found = []
    # `dict` is asked first: the abstract class is slow to answer
    for one in (concept,) if isinstance(concept, dict | Mapping) else concept:
        for coding in one.get("coding", ()):
            code = coding.get("code")
            if code:
                found.append((coding.get("system", ""), code))
    return tuple(found)


def codes(concept: Json | Sequence[Json] | None) -> frozenset[str]:
    """Return the codes of a concept whatever their systems."""
    return frozenset([code for _, code in codings(concept)])


def identifiers(resource: Json, system: str) -> tuple[str, ...]:
    """Return the values of the identifiers of one system, in the order sent."""
    return tuple(
        [one["value"] for one in resource.get("identifier", ()) if one.get("system") == system and "value" in one]
    )


def referred(reference: Json | None, system: str) -> str | None:
    """Return the alias or key that a reference carries under a system of ours."""
    if not reference:
        return None
    identifier = reference.get("identifier")
    if identifier and identifier.get("system") == system:
        value: str | None = identifier.get("value")
        return value
    return None


def extensions(resource: Json, url: str) -> Iterator[Json]:
    """Yield the extensions of a url (without its `urn:snds-gateway:` prefix when it is ours)."""
    for one in resource.get("extension", ()):
        found = one.get("url", "")
        if found == url or found == GATEWAY + url:
            yield one


def extension_value(resource: Json, url: str) -> Any:  # noqa: ANN401 — whatever value[x] holds
    """Return the value[x] of the first extension of a url, else None."""
    for one in extensions(resource, url):
        for name, value in one.items():
            if name.startswith("value"):
                return value
    return None


def fact_code(resource: Json) -> str | None:
    """Return which fact a Basic resource is."""
    for system, code in codings(resource.get("code")):
        if system == FACT:
            return code
    return None


@lru_cache(maxsize=4096)
def _instant(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def version_order(staged: Staged) -> tuple[bool, float, int, str]:
    """Return the sort key of versions: stamped ones after the others, then by time, version and key."""
    meta = staged.resource.get("meta", {})
    stamp, version = meta.get("lastUpdated"), str(meta.get("versionId", ""))
    return (bool(stamp), _instant(stamp) if stamp else 0.0, int(version) if version.isdecimal() else 0, staged.key)
