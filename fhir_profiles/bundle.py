"""Bytes → ParsedBundle: the JSON read, the limits kept, each entry with its identity (DESIGN §4).

Raises Malformed (400), TooLarge (413) or Invalid (422) and never anything else; says nothing about profiles.
What is wrong inside an entry is left to `bundle_rules.py`, so that one answer names it all. Promise: P20.
"""

from __future__ import annotations

from typing import Any

import orjson

from fhir_profiles.errors import Invalid, Malformed, TooLarge
from fhir_profiles.issues import issue
from fhir_profiles.json_document import read
from fhir_profiles.limits import Limits
from fhir_profiles.references import conditional, is_id, restful
from fhir_profiles.resource_types import RESOURCE_TYPES
from fhir_profiles.values import BUNDLE_KINDS, Entry, ParsedBundle

WRITES = ("PUT", "POST", "DELETE")


def parse(
    content: bytes,
    limits: Limits,
    *,
    expected_type: str | None = None,
    method: str = "",
    resource_id: str | None = None,
    any_bundle: bool = False,
) -> ParsedBundle:
    """Read one request body.

    Args:
        content: the body after decompression; ignored for a DELETE.
        limits: what one body may hold.
        expected_type: the type of the route; None accepts any resource (`$validate`, command line).
        method: POST, PUT or DELETE of one resource; "" for a Bundle or a resource by itself.
        resource_id: the id of the route `PUT|DELETE /fhir/{type}/{id}`.
        any_bundle: read a Bundle that nobody posts (searchset, history, a response) as one resource: to judge it.

    Raises:
        Malformed, TooLarge, Invalid
    """
    if resource_id is not None and not is_id(resource_id):
        raise Invalid(issue("id-format", expected_type or ""))
    if expected_type is not None and expected_type not in RESOURCE_TYPES:
        raise Invalid(issue("resource-type-unknown"))
    if method == "DELETE":
        return _deletion(expected_type or "", resource_id)
    root, canonical = read(content, limits)
    kind = _resource_type(root)
    if expected_type is not None and kind != expected_type:
        raise Invalid(issue("resource-type-unexpected", kind, expected=expected_type))
    if kind == "Bundle" and not (any_bundle and root.get("type") not in BUNDLE_KINDS):
        return _bundle(root, canonical, limits, size_bytes=len(content))
    own_id = root.get("id")
    entry = Entry(
        index=0,
        path=kind,
        type=kind,
        method=method,
        id=resource_id if resource_id is not None else own_id if method != "POST" and is_id(own_id) else None,
        resource=root,
    )
    return ParsedBundle("single", (entry,), root, len(content), canonical)


def _resource_type(root: Any) -> str:  # noqa: ANN401 — any JSON value
    if not isinstance(root, dict):
        raise Malformed(issue("json-not-object"))
    kind = root.get("resourceType")
    if not isinstance(kind, str) or not kind:
        raise Malformed(issue("resource-type-missing"))
    if kind not in RESOURCE_TYPES:
        raise Invalid(issue("resource-type-unknown"))
    return kind


def _deletion(kind: str, resource_id: str | None) -> ParsedBundle:
    """A DELETE has no body; its canonical bytes are those of the request that it would be in a bundle."""
    root: dict[str, Any] = {"method": "DELETE", "url": f"{kind}/{resource_id}"}
    entry = Entry(index=0, path=kind, type=kind, method="DELETE", id=resource_id)
    return ParsedBundle("single", (entry,), root, 0, orjson.dumps(root, option=orjson.OPT_SORT_KEYS))


def _bundle(root: dict[str, Any], canonical: bytes, limits: Limits, *, size_bytes: int) -> ParsedBundle:
    kind = root.get("type")
    if kind is None:
        raise Invalid(issue("bundle-type-missing", "Bundle"))
    if kind not in BUNDLE_KINDS:
        raise Invalid(issue("bundle-type-not-accepted", "Bundle.type"))
    listed = root.get("entry")
    raw_entries = listed if isinstance(listed, list) else []
    if len(raw_entries) > limits.entries:
        raise TooLarge(issue("too-many-entries", "Bundle.entry", limit=str(limits.entries)))
    timestamp = root.get("timestamp")
    return ParsedBundle(
        kind=kind,
        entries=tuple(entry_of(index, raw) for index, raw in enumerate(raw_entries)),
        root=root,
        size_bytes=size_bytes,
        canonical=canonical,
        timestamp=timestamp if isinstance(timestamp, str) else None,
        identity=_identity(root),
    )


def _identity(root: dict[str, Any]) -> str | None:
    identifier, own_id = root.get("identifier"), root.get("id")
    if isinstance(identifier, dict) and isinstance(identifier.get("value"), str):
        system = identifier.get("system")
        return f"{system if isinstance(system, str) else ''}|{identifier['value']}"
    return own_id if isinstance(own_id, str) else None


def entry_of(index: int, raw: object) -> Entry:
    """Read one `Bundle.entry`. What cannot be read stays empty, and `bundle_rules.py` says so."""
    path = f"Bundle.entry[{index}].resource"
    if not isinstance(raw, dict):
        return Entry(index, path, "")
    resource, request, full_url = raw.get("resource"), raw.get("request"), raw.get("fullUrl")
    resource = resource if isinstance(resource, dict) else None
    full_url = full_url if isinstance(full_url, str) else None
    method, url = "", ""
    if isinstance(request, dict):
        sent_method, sent_url = request.get("method"), request.get("url")
        method = sent_method if sent_method in WRITES else ""
        url = sent_url if isinstance(sent_url, str) else ""
    if resource is not None and method == "PUT" and (own_id := resource.get("id")) and is_id(own_id):
        kind = resource.get("resourceType")
        if isinstance(kind, str) and kind in RESOURCE_TYPES and url == f"{kind}/{own_id}":  # as nearly all entries
            return Entry(index, path, kind, method, own_id, full_url, None, resource)
    searched = conditional(url) if "?" in url and method != "POST" else None
    kind = resource.get("resourceType") if resource is not None else None
    named = restful(url) if method in ("PUT", "DELETE") and searched is None else None
    if not isinstance(kind, str) or kind not in RESOURCE_TYPES:
        kind = "" if resource is not None else named.type if named else searched[0] if searched else ""
    own_id = named.id if named is not None else _own_id(kind, resource, full_url, method=method)
    return Entry(
        index=index,
        path=path,
        type=kind,
        method=method,
        id=own_id,
        full_url=full_url,
        conditional=searched[1] if searched else None,
        resource=None if method == "DELETE" else resource,
    )


def _own_id(kind: str, resource: dict[str, Any] | None, full_url: str | None, *, method: str) -> str | None:
    """Return the RESTful id that is not in the url: that of the fullUrl, else `resource.id` outside a POST."""
    link = restful(full_url) if full_url is not None and full_url.startswith("http") else None
    if link is not None and link.type == kind:
        return link.id
    own_id = resource.get("id") if resource is not None and method != "POST" else None
    return own_id if isinstance(own_id, str) and is_id(own_id) else None
