"""Rules of the Bundle itself: forms of each type, requests, fullUrls, identities (FHIR R4 bdl-1 to bdl-12, §3.1.0.11).

In: a ParsedBundle. Out: issues of the bundle and of each entry, in document order; quotes nothing of it.
In a batch each entry answers for itself; every other kind is all or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    """Yield the issues of the entries with their index."""
    if parsed.kind == "single":
        entry = parsed.entries[0]
        if entry.method == "PUT" and (found := _own_id(entry)):
            yield 0, found
        return
    listed = parsed.root.get("entry")
    of_entry: list[Issue] = []
    for entry, raw in zip(parsed.entries, listed if isinstance(listed, list) else (), strict=True):
        if isinstance(raw, dict):
            _entry(parsed.kind, entry, raw=raw, found=of_entry)
            if of_entry:
                for one in of_entry:
                    yield entry.index, one
                of_entry.clear()
    yield from check_repetitions(parsed)


def all_plain(parsed: ParsedBundle) -> bool:
    """Say whether every entry is what nearly all are: a PUT at the url that fullUrl and id say too.

    Then neither the definition of `Bundle.entry` nor these rules have anything to say of an entry by itself.
    """
    listed = parsed.root.get("entry")
    return (
        parsed.kind in WITH_REQUESTS
        and isinstance(listed, list)
        and bool(listed)
        and all(isinstance(raw, dict) and _is_plain(one, raw) for one, raw in zip(parsed.entries, listed, strict=True))
    )


def _is_plain(entry: Entry, raw: dict[str, Any]) -> bool:
    resource, full_url = entry.resource, entry.full_url
    if entry.method != "PUT" or resource is None or full_url is None or not entry.type or len(raw) != 3:
        return False
    own = f"/{entry.type}/{entry.id}"
    request = raw["request"]  # `parse` has read the method from it
    return (
        len(request) == 2
        and request.get("url") == own[1:]
        and resource.get("id") == entry.id
        and full_url.startswith(("http://", "https://"))
        and full_url.endswith(own)
        and full_url.isascii()
        and full_url.isprintable()
        and " " not in full_url
        and "/_history/" not in full_url
    )


def _entry(kind: str, entry: Entry, *, raw: dict[str, Any], found: list[Issue]) -> None:
    at = entry.path.removesuffix(".resource")
    if "search" in raw:
        found.append(issue("entry-search", f"{at}.search"))
    if "response" in raw:
        found.append(issue("entry-response", f"{at}.response"))
    if not entry.type or entry.method == "DELETE" or entry.resource is None:
        _resource(entry, raw, at=at, found=found)
    request = raw.get("request")
    if kind not in WITH_REQUESTS:
        if request is not None:
            found.append(issue("entry-request-forbidden", f"{at}.request", kind=kind))
        if "fullUrl" not in raw:
            found.append(issue("fullurl-missing", at))
    elif request is None:
        found.append(issue("entry-request-missing", at, kind=kind))
    elif isinstance(request, dict):
        _request(entry, request, at=at, found=found)
    if entry.full_url is not None and not entry.full_url.startswith("urn:"):
        _full_url(entry, entry.full_url, place=f"{at}.fullUrl", found=found)


def check_repetitions(parsed: ParsedBundle) -> Iterator[tuple[int, Issue]]:
    """bdl-7, and entries that write one resource: their order would decide, and entries have none."""
    urls = [entry.full_url for entry in parsed.entries if entry.full_url is not None]
    written = [
        (entry.type, entry.id if entry.conditional is None else entry.conditional)
        for entry in parsed.entries
        if entry.conditional is not None or entry.id is not None
    ]
    if len(set(urls)) == len(urls) and len(set(written)) == len(written):
        return
    severity: Severity = "warning" if parsed.kind == "batch" else "error"
    with_versions = parsed.kind not in WITH_REQUESTS
    seen: set[tuple[str, str | None]] = set()
    for entry in parsed.entries:
        at = entry.path.removesuffix(".resource")
        version = version_of(entry.resource) if entry.resource is not None else None
        url, identity = (entry.full_url or "", version), (_written(entry) or "", version if with_versions else None)
        if url[0] and url in seen:
            yield entry.index, issue("fullurl-repeated", f"{at}.fullUrl")
        elif identity[0] and identity in seen:
            yield entry.index, issue("identity-repeated", at, severity=severity)
        seen |= {url, identity}


def _written(entry: Entry) -> str | None:
    """Return what an entry writes: type and id, or the search that finds it; never the form of a fullUrl."""
    if entry.type and entry.conditional is not None:
        return f"?{entry.type}?{entry.conditional}"
    return f"?{entry.type}/{entry.id}" if entry.type and entry.id is not None else None


def _resource(entry: Entry, raw: dict[str, Any], *, at: str, found: list[Issue]) -> None:
    """bdl-5, and a resource whose type FHIR R4 knows."""
    resource = raw.get("resource")
    if resource is None:
        request = raw.get("request")
        reads = isinstance(request, dict) and request.get("method") in NOT_SUPPORTED_METHODS
        if entry.method != "DELETE" and not reads:
            found.append(issue("entry-resource-missing", at))
    elif entry.method == "DELETE":
        found.append(issue("delete-with-resource", f"{at}.resource"))
    elif isinstance(resource, dict):
        kind = resource.get("resourceType")
        if not isinstance(kind, str) or not kind:
            found.append(issue("entry-resource-type-missing", f"{at}.resource"))
        elif kind not in RESOURCE_TYPES:
            found.append(issue("resource-type-unknown", f"{at}.resource"))


def _request(entry: Entry, request: dict[str, Any], *, at: str, found: list[Issue]) -> None:
    method, url = request.get("method"), request.get("url")
    if method in NOT_SUPPORTED_METHODS:
        found.append(issue("method-not-allowed", f"{at}.request.method"))
        return
    if len(request) > 2:
        found += [
            issue("condition-not-supported", f"{at}.request.{name}", element=name)
            for name in CONDITIONS
            if name in request
        ]
    if method not in WRITES or not isinstance(url, str):
        return  # the definition of Bundle says so
    if method == "POST":
        _post(entry, url.strip("/"), place=f"{at}.request.url", found=found)
    elif url == f"{entry.type}/{entry.id}":  # the usual case: `parse` has read the identity from this url
        if method == "PUT" and (wrong := _own_id(entry)):
            found.append(wrong)
    else:
        _put_or_delete(entry, method, url=url, place=f"{at}.request.url", found=found)


def _post(entry: Entry, url: str, *, place: str, found: list[Issue]) -> None:
    if url not in RESOURCE_TYPES:
        found.append(issue("request-url-post", place))
    elif entry.type and url != entry.type:
        found.append(issue("request-url-type", place))


def _put_or_delete(entry: Entry, method: str, *, url: str, place: str, found: list[Issue]) -> None:
    searched = conditional(url) if "?" in url else None
    named = restful(url) if searched is None else None
    if searched is not None:
        if method == "DELETE":
            found.append(issue("conditional-delete", place))
        elif searched_identifier(searched[1]) is None:
            found.append(issue("conditional-url", place))
    elif named is None or named.version is not None:
        found.append(issue("request-url-put", place, method=method))
        return
    target = searched[0] if searched is not None else named.type if named is not None else ""
    if entry.type and target != entry.type:
        found.append(issue("request-url-type", place))
    elif method == "PUT" and searched is None and (wrong := _own_id(entry)):
        found.append(wrong)


def _own_id(entry: Entry) -> Issue | None:
    """Return the issue of a PUT whose resource does not carry the id of the url."""
    if entry.resource is None or not entry.type:
        return None
    own_id = entry.resource.get("id")
    if own_id is None:
        return issue("resource-id-missing", entry.path)
    return issue("resource-id-mismatch", f"{entry.path}.id") if own_id != entry.id else None


def _full_url(entry: Entry, full_url: str, *, place: str, found: list[Issue]) -> None:
    if "/_history/" in full_url:
        found.append(issue("fullurl-versioned", place))
        return
    if ":" not in full_url:
        found.append(issue("fullurl-relative", place))
    if not full_url.startswith(("http://", "https://")) or entry.resource is None or not entry.type:
        return
    own_id = entry.resource.get("id")
    if isinstance(own_id, str) and full_url.endswith(f"/{entry.type}/{own_id}"):
        return
    link = restful(full_url)
    if link is not None and (link.type != entry.type or (own_id is not None and own_id != link.id)):
        found.append(issue("fullurl-mismatch", place))
