"""Routes → the OpenAPI 3.1 document of `GET /openapi.json`: what may be sent where, which statuses may come back."""

from __future__ import annotations

import re
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import orjson

from fhir_profiles.resource_types import RESOURCE_TYPES
from gateway.routes import BASE, FHIR, ROUTES, Route

Json = dict[str, Any]
FORM = "application/x-www-form-urlencoded"
TEXT: Json = {"type": "string"}
TYPES: Json = {"type": "string", "enum": sorted(RESOURCE_TYPES)}
RESOURCE: Json = {"type": "object", "required": ["resourceType"], "properties": {"resourceType": TYPES}}
BUNDLE: Json = {
    "type": "object",
    "required": ["resourceType", "type"],
    "properties": {
        "resourceType": {"const": "Bundle"},
        "type": {"enum": ["batch", "collection", "document", "message", "transaction"]},
        "entry": {"type": "array", "items": {"type": "object", "properties": {"resource": RESOURCE}}},
    },
}
OF_SCOPE = (401, 403, 404, 405, 429, 503)
OF_BODY = (400, 408, 413, 415)


@cache
def document() -> bytes:
    """Return the document, JSON."""
    paths: dict[str, Json] = {}
    for route in ROUTES:
        operations = paths.setdefault(route.path, {})
        for method in route.methods:
            operations[method.lower()] = operation(route, method)
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "FHIR → SNDS gateway",
                "version": version("fhir-snds-gateway"),
                "description": "Hospitals post FHIR R4. Answers are OperationOutcomes or response Bundles.",
            },
            "paths": paths,
            "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
        }
    )


def operation(route: Route, method: str) -> Json:
    """Return one operation."""
    said: Json = {
        "operationId": route.name if method == route.methods[0] else f"{route.name}-{method.lower()}",
        "summary": route.summary,
        "parameters": [
            *(
                {"name": one, "in": "path", "required": True, "schema": TYPES if one == "type" else TEXT}
                for one in _names(route.path)
            ),
            *({"name": one, "in": "query", "schema": TEXT} for one in route.query),
        ],
        "responses": {str(one): _response(route, method, one) for one in statuses_of(route)},
    }
    if route.scope:
        said["security"] = [{"bearer": []}]
    if route.body:
        said["requestBody"] = {"required": True, "content": {FHIR: {"schema": BUNDLE if route.type else RESOURCE}}}
    elif route.name == "token":
        said["requestBody"] = {"required": True, "content": {FORM: {"schema": {"type": "object"}}}}
    return said


def statuses_of(route: Route) -> list[int]:
    """Return every status that a route may answer."""
    found = {*route.answers}
    if route.scope:
        found |= {*OF_SCOPE}
    if route.body:
        found |= {*OF_BODY}
    if route.body or route.single:
        found |= {422}
    return sorted(found)


def _response(route: Route, method: str, status: int) -> Json:
    said: Json = {"description": HTTPStatus(status).phrase}
    if method != "HEAD" and status != HTTPStatus.NO_CONTENT:
        media = FHIR if route.path.startswith(BASE) else "text/plain" if route.name == "metrics" else "application/json"
        said["content"] = {media: {}} | ({FHIR: {}} if status >= HTTPStatus.BAD_REQUEST else {})
    return said


def _names(path: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", path)
