"""Rules of the Bundle itself: forms of each type, requests, fullUrls, identities (FHIR R4 bdl-1 to bdl-12, §3.1.0.11).

In: a ParsedBundle. Out: issues of the bundle and of each entry, in document order; quotes nothing of it.
In a batch each entry answers for itself; every other kind is all or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fhir_profiles.bundle import WRITES
from fhir_profiles.issues import Issue, Severity, issue
from fhir_profiles.references import conditional, restful, searched_identifier, version_of
from fhir_profiles.resource_types import RESOURCE_TYPES
from fhir_profiles.values import Entry, ParsedBundle

WITH_REQUESTS = ("transaction", "batch")
NOT_SUPPORTED_METHODS = ("GET", "HEAD", "PATCH")
CONDITIONS = ("ifNoneMatch", "ifModifiedSince", "ifMatch", "ifNoneExist")
# Constraints of the Bundle definition that this module reports itself, at the entry that breaks them.
COVERED = frozenset(f"bdl-{number}" for number in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12))


def check_bundle(parsed: ParsedBundle) -> list[Issue]:
    """Return the issues of the bundle as a whole."""
    root, found = parsed.root, list[Issue]()
    if parsed.kind == "single":
        return found
    if "total" in root:
        found.append(issue("bundle-total", "Bundle.total"))
    if not parsed.entries and "entry" not in root and parsed.kind in ("transaction", "batch", "collection"):
        found.append(issue("bundle-empty", "Bundle"))
    if parsed.kind == "message" and _first_type(parsed) != "MessageHeader":
        found.append(issue("message-header-first", "Bundle"))
    if parsed.kind == "document":
        if _first_type(parsed) != "Composition":
            found.append(issue("composition-first", "Bundle"))
        identifier = root.get("identifier")
        if not isinstance(identifier, dict) or not identifier.get("system") or not identifier.get("value"):
            found.append(issue("document-identifier", "Bundle"))
        if "timestamp" not in root:
            found.append(issue("document-timestamp", "Bundle"))
    return found


def _first_type(parsed: ParsedBundle) -> str | None:
    return parsed.entries[0].type if parsed.entries else None


def check_entries(parsed: ParsedBundle) -> Iterator[tuple[int, Issue]]:
    """Yield the issues of the entries with their index, in document order."""
    if parsed.kind == "single":
        entry = parsed.entries[0]
        if entry.method == "PUT" and (found := _own_id(entry, entry.path)):
            yield 0, found
        return
    listed = parsed.root.get("entry")
    seen = _Seen()
    for entry, raw in zip(parsed.entries, listed if isinstance(listed, list) else (), strict=True):
        if isinstance(raw, dict):
            for found in _entry(parsed.kind, entry, raw=raw, seen=seen):
                yield entry.index, found


@dataclass(slots=True)
class _Seen:
    """What the entries before this one are: fullUrls and written identities, each with its version."""

    urls: set[tuple[str, str | None]] = field(default_factory=set)
    identities: set[tuple[str, str | None, str | None]] = field(default_factory=set)


def _entry(kind: str, entry: Entry, *, raw: dict[str, Any], seen: _Seen) -> Iterator[Issue]:
    at = f"Bundle.entry[{entry.index}]"
    if "search" in raw:
        yield issue("entry-search", f"{at}.search")
    if "response" in raw:
        yield issue("entry-response", f"{at}.response")
    yield from _resource(entry, raw, at)
    request = raw.get("request")
    if kind not in WITH_REQUESTS:
        if request is not None:
            yield issue("entry-request-forbidden", f"{at}.request", kind=kind)
    elif request is None:
        yield issue("entry-request-missing", at, kind=kind)
    elif isinstance(request, dict):
        yield from _request(entry, request, at)
    if entry.full_url is not None:
        yield from _full_url(entry, entry.full_url, at)
    elif kind not in WITH_REQUESTS and "fullUrl" not in raw:
        yield issue("fullurl-missing", at)
    if (repeated := _repeated(kind, entry, seen=seen)) is not None:
        yield repeated


def _repeated(kind: str, entry: Entry, *, seen: _Seen) -> Issue | None:
    """bdl-7, and two entries that write one resource: their order would decide, and entries have none."""
    at = f"Bundle.entry[{entry.index}]"
    version = version_of(entry.resource) if entry.resource is not None else None
    if entry.full_url is not None:
        if (entry.full_url, version) in seen.urls:
            return issue("fullurl-repeated", f"{at}.fullUrl")
        seen.urls.add((entry.full_url, version))
    identity = _written(kind, entry, version)
    if identity is None:
        return None
    if identity in seen.identities:
        severity: Severity = "warning" if kind == "batch" else "error"
        return issue("identity-repeated", at, severity=severity)
    seen.identities.add(identity)
    return None


def _resource(entry: Entry, raw: dict[str, Any], at: str) -> Iterator[Issue]:
    """bdl-5, and a resource whose type FHIR R4 knows."""
    resource = raw.get("resource")
    if resource is None:
        if entry.method != "DELETE":
            request = raw.get("request")
            if not (isinstance(request, dict) and request.get("method") in NOT_SUPPORTED_METHODS):
                yield issue("entry-resource-missing", at)
    elif entry.method == "DELETE":
        yield issue("delete-with-resource", f"{at}.resource")
    elif isinstance(resource, dict):
        kind = resource.get("resourceType")
        if not isinstance(kind, str) or not kind:
            yield issue("entry-resource-type-missing", f"{at}.resource")
        elif kind not in RESOURCE_TYPES:
            yield issue("resource-type-unknown", f"{at}.resource")


def _request(entry: Entry, request: dict[str, Any], at: str) -> Iterator[Issue]:
    method, url = request.get("method"), request.get("url")
    if method in NOT_SUPPORTED_METHODS:
        yield issue("method-not-allowed", f"{at}.request.method")
        return
    for name in CONDITIONS:
        if name in request:
            yield issue("condition-not-supported", f"{at}.request.{name}", element=name)
    if method not in WRITES or not isinstance(url, str):
        return  # the definition of Bundle says so
    if method == "POST":
        yield from _post(entry, url.strip("/"), f"{at}.request.url")
    elif url == f"{entry.type}/{entry.id}":  # the usual case: `parse` has read the identity from this url
        if method == "PUT" and (found := _own_id(entry, entry.path)):
            yield found
    else:
        yield from _put_or_delete(entry, method, url=url, place=f"{at}.request.url")


def _post(entry: Entry, url: str, place: str) -> Iterator[Issue]:
    if url not in RESOURCE_TYPES:
        yield issue("request-url-post", place)
    elif entry.type and url != entry.type:
        yield issue("request-url-type", place)


def _put_or_delete(entry: Entry, method: str, *, url: str, place: str) -> Iterator[Issue]:
    searched = conditional(url) if "?" in url else None
    named = restful(url) if searched is None else None
    if searched is not None:
        yield from _conditional(method, searched[1], place)
    elif named is None or named.version is not None:
        yield issue("request-url-put", place, method=method)
        return
    target = searched[0] if searched is not None else named.type if named is not None else ""
    if entry.type and target != entry.type:
        yield issue("request-url-type", place)
    elif method == "PUT" and searched is None and (found := _own_id(entry, entry.path)):
        yield found


def _conditional(method: str, query: str, place: str) -> Iterator[Issue]:
    if method == "DELETE":
        yield issue("conditional-delete", place)
    elif searched_identifier(query) is None:
        yield issue("conditional-url", place)


def _own_id(entry: Entry, path: str) -> Issue | None:
    """Return the issue of a PUT whose resource does not carry the id of the url."""
    if entry.resource is None or not entry.type:
        return None
    own_id = entry.resource.get("id")
    if own_id is None:
        return issue("resource-id-missing", path)
    return issue("resource-id-mismatch", f"{path}.id") if own_id != entry.id else None


def _full_url(entry: Entry, full_url: str, at: str) -> Iterator[Issue]:
    place = f"{at}.fullUrl"
    if "/_history/" in full_url:
        yield issue("fullurl-versioned", place)
        return
    if ":" not in full_url:
        yield issue("fullurl-relative", place)
    if not full_url.startswith(("http://", "https://")) or entry.resource is None:
        return
    link = restful(full_url)
    own_id = entry.resource.get("id")
    if link is None or not entry.type:
        return
    if link.type != entry.type or (own_id is not None and own_id != link.id):
        yield issue("fullurl-mismatch", place)


def _written(kind: str, entry: Entry, version: str | None) -> tuple[str, str | None, str | None] | None:
    """Return what an entry writes: two versions of one resource may stand in a collection, not in a transaction."""
    if not entry.type:
        return None
    if entry.conditional is not None:
        return entry.type, None, entry.conditional
    if entry.id is None:
        return None
    return entry.type, entry.id, None if kind in WITH_REQUESTS else version
