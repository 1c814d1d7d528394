"""References and RESTful urls: what a text points at, and which resource of the same request that is.

In: texts of `Reference.reference`, `fullUrl`, `request.url`. Out: links, resolvers, unresolved references as issues.
Never fetches anything. Promise: linear in the size of the bundle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from fhir_profiles.compiler.context import Resolver
from fhir_profiles.issues import Issue, Severity, issue
from fhir_profiles.resource_types import RESOURCE_TYPES
from fhir_profiles.values import Entry, ParsedBundle

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
_RESTFUL = re.compile(
    r"(?:(https?://[^\s?#]*/)|/)?([A-Za-z]{4,40})/([A-Za-z0-9\-.]{1,64})(?:/_history/([A-Za-z0-9\-.]{1,64}))?", re.ASCII
)
_URN_REFERENCE = re.compile(rb'"reference":"(urn:[^"]*)"')
_URN = ("urn:uuid:", "urn:oid:")
_CHOICES = frozenset(
    {"additive", "author", "diagnosis", "item", "medication", "product", "reported", "statusReason", "subject"}
    | {"substance", "target", "value"}
)


class Link(NamedTuple):
    """A RESTful url: `[base]Type/id[/_history/version]`; `base` is empty when it is relative."""

    type: str
    id: str
    base: str = ""
    version: str | None = None

    def __repr__(self) -> str:
        return f"Link({self.type})"

    @property
    def url(self) -> str:
        """Return the url without its version."""
        return f"{self.base}{self.type}/{self.id}"


def is_id(text: object) -> bool:
    """Say whether a value is a FHIR id."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def restful(url: str) -> Link | None:
    """Read a relative or absolute RESTful url; None for anything else (a urn, a fragment, a search)."""
    found = _RESTFUL.fullmatch(url)
    if found is None or found[2] not in RESOURCE_TYPES:
        return None
    return Link(found[2], found[3], found[1] or "", found[4])


def conditional(url: str) -> tuple[str, str] | None:
    """Read a conditional url (`Patient?identifier=system|value`): its type and its query, else None."""
    head, mark, query = url.partition("?")
    kind = head.rpartition("/")[2]
    return (kind, query) if mark and kind in RESOURCE_TYPES else None


def searched_identifier(query: str) -> tuple[str, str] | None:
    """Return system and value when a query is exactly `identifier=system|value`."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=4)
    except ValueError:
        return None
    if len(pairs) != 1 or pairs[0][0] != "identifier":
        return None
    system, bar, value = pairs[0][1].partition("|")
    return (system, value) if bar and system and value else None


class BundleIndex:
    """The resources of one request by the urls that may refer to them. Dropped with the request."""

    def __init__(self, parsed: ParsedBundle) -> None:
        self._entries = parsed.entries
        self._by_url: dict[str, dict[str, Any]] = {}
        self._by_id: dict[str, dict[str, Any]] = {}
        self._by_version: dict[tuple[str, str], dict[str, Any]] | None = None
        self._resolved: dict[str, dict[str, dict[str, Any] | None]] = {}
        self.repeated: set[str] = set()
        for entry in parsed.entries:
            if entry.resource is not None:
                if entry.id is not None:
                    self._by_id.setdefault(f"{entry.type}/{entry.id}", entry.resource)
                if (url := entry.full_url) is not None:
                    if url in self._by_url:
                        self.repeated.add(url)
                    else:
                        self._by_url[url] = entry.resource

    def resolver(self, entry: Entry) -> Resolver:
        """Return the function that resolves the references of one entry; entries beside each other share answers."""
        full_url = entry.full_url
        base = full_url.rpartition(entry.type)[0] if full_url is not None and full_url.startswith("http") else ""
        known = self._resolved.setdefault(base, {})

        def resolve(reference: str) -> dict[str, Any] | None:
            if reference not in known:
                known[reference] = self.resolve(reference, entry=entry)
            return known[reference]

        return resolve

    def resolve(self, reference: str, *, entry: Entry | None = None) -> dict[str, Any] | None:
        """Return the resource by fullUrl, by the base of the referring entry, else by type and id."""
        found = self._by_url.get(reference)
        if found is None and (link := restful(reference)) is not None:
            url = _absolute(link, entry)
            if link.version is not None:
                found = self._version(url, link.version)
            found = found or self._by_url.get(url) or (None if link.base else self._by_id.get(link.url))
        return found

    def is_ambiguous(self, reference: str, entry: Entry) -> bool:
        """Say whether a document cannot know which version of a resource is meant."""
        link = restful(reference)
        url = reference if link is None else _absolute(link, entry)
        if url not in self.repeated:
            return False
        return link is None or link.version is None or self._version(url, link.version) is None

    def knows(self, url: str) -> bool:
        """Say whether an entry has this fullUrl."""
        return url in self._by_url

    def _version(self, url: str, version: str) -> dict[str, Any] | None:
        if self._by_version is None:
            self._by_version = {
                (one.full_url, number): one.resource
                for one in self._entries
                if one.full_url and one.resource and (number := version_of(one.resource)) is not None
            }
        return self._by_version.get((url, version))


def _absolute(link: Link, entry: Entry | None) -> str:
    """Return the url of a link; a relative one stands beside the entry that refers to it (FHIR R4 §2.36.4.1)."""
    if link.base or entry is None or entry.full_url is None:
        return link.url
    own = restful(entry.full_url)
    return (own.base if own is not None else "") + link.url


def version_of(resource: Mapping[str, Any]) -> str | None:
    """Return `meta.versionId`."""
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    return version if isinstance(version, str) else None


def check_references(parsed: ParsedBundle, index: BundleIndex) -> Iterator[tuple[int, Issue]]:
    """Yield, with the index of their entry, the references that can never be resolved.

    A bundle whose local references all have their target is recognised in its canonical bytes and never walked.
    """
    versions = parsed.kind == "document" and bool(index.repeated)
    if not versions and not _has_loose_ends(parsed, index):
        return
    for entry in parsed.entries:
        if entry.resource is None:
            continue
        own = contained_ids(entry.resource)
        for path, text in references_in(entry.resource, entry.path):
            found: Issue | None = None
            if text.startswith("#"):
                if len(text) > 1 and text[1:] not in own:
                    found = issue("reference-contained-missing", path)
            elif text.startswith(_URN):
                found = _urn(parsed.kind, path, known=index.knows(text))
            elif versions and index.is_ambiguous(text, entry):
                found = issue("reference-ambiguous", path)
            if found is not None:
                yield entry.index, found


def _has_loose_ends(parsed: ParsedBundle, index: BundleIndex) -> bool:
    canonical = parsed.canonical
    if b"#" in canonical and b'"reference":"#' in canonical:
        return True
    if b'"reference":"urn:' not in canonical:
        return False
    if parsed.kind == "batch":
        return True
    targets = {text.decode() for text in _URN_REFERENCE.findall(canonical)}
    return not all(index.knows(target) for target in targets)


def _urn(kind: str, path: str, *, known: bool) -> Issue | None:
    """Judge a reference to an entry of the same request. Entries of a batch stand for themselves (R4 §3.1.0.11)."""
    if known:
        return issue("reference-between-batch-entries", path) if kind == "batch" else None
    severity: Severity = "warning" if kind in ("batch", "single") else "error"
    return issue("reference-unresolved", path, severity=severity)


def contained_ids(resource: Mapping[str, Any]) -> frozenset[str]:
    """Return the ids of the contained resources."""
    contained = resource.get("contained")
    items = contained if isinstance(contained, list) else []
    return frozenset(one["id"] for one in items if isinstance(one, dict) and isinstance(one.get("id"), str))


def references_in(node: object, path: str) -> Iterator[tuple[str, str]]:
    """Yield path and text of every `reference` under a JSON value, in document order."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "reference" and isinstance(value, str):
                yield f"{path}.reference", value
            elif isinstance(value, (dict, list)):
                yield from references_in(value, f"{path}.{_step(name)}")
    elif isinstance(node, list):
        for position, value in enumerate(node):
            if isinstance(value, (dict, list)):
                yield from references_in(value, f"{path}[{position}]")


def _step(name: str) -> str:
    """Return the FHIRPath of a key: `medicationReference` is `medication.ofType(Reference)`."""
    stem = name.removesuffix("Reference")
    return f"{stem}.ofType(Reference)" if stem != name and stem in _CHOICES else name
