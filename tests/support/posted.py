"""Builders of posted bundles, small enough to read in a test."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]


def patient(resource_id: str = "p1", **elements: Any) -> Json:
    return {"resourceType": "Patient", "id": resource_id} | elements


def observation(resource_id: str = "o1", **elements: Any) -> Json:
    status_and_code = {"status": "final", "code": {"text": "x"}}
    return {"resourceType": "Observation", "id": resource_id} | status_and_code | elements


def put(resource: Json, **entry: Any) -> Json:
    url = f"{resource['resourceType']}/{resource['id']}"
    return {"resource": resource, "request": {"method": "PUT", "url": url}} | entry


def post(resource: Json, **entry: Any) -> Json:
    return {"resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}} | entry


def bundle(kind: str, *entries: Json, **elements: Any) -> Json:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)} | elements


def body(resource: Any) -> bytes:
    return json.dumps(resource, ensure_ascii=False).encode()
