"""The addresses of the gateway as data: routing, OpenAPI, CapabilityStatement and documents are made from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FHIR = "application/fhir+json"
BASE = "/fhir"


@dataclass(frozen=True, slots=True)
class Route:
    """One address: `handler` names what answers; `type` is the only type that its body may have ("" any)."""

    name: str
    path: str
    methods: tuple[str, ...]
    handler: str
    summary: str = ""
    scope: str = ""
    body: bool = False
    type: str | None = None
    single: bool = False
    query: tuple[str, ...] = ()
    answers: tuple[int, ...] = (200,)
    public: bool = True
    quiet: bool = False

    def openapi(self) -> dict[str, Any]:
        """Return what FastAPI cannot know of a raw route."""
        media = (
            FHIR if self.path.startswith("/fhir") else "text/plain" if self.name == "metrics" else "application/json"
        )
        statuses = sorted({*self.answers, *((401, 403, 429, 503, 404, 405) if self.scope else ())})
        if self.body:
            statuses = sorted({*statuses, 400, 408, 413, 415})
        if self.body or self.single:
            statuses = sorted({*statuses, 422})
        extra: dict[str, Any] = {
            "summary": self.summary,
            "responses": {
                str(one): {"description": "", "content": {media: {}} | ({FHIR: {}} if one >= 400 else {})}
                for one in statuses
            },
            "parameters": [
                *({"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in _names(self.path)),
                *({"name": name, "in": "query", "schema": {"type": "string"}} for name in self.query),
            ],
        }
        if self.scope:
            extra["security"] = [{"bearer": []}]
        if self.body:
            schema = {"type": "object", "required": ["resourceType"]}
            extra["requestBody"] = {"required": True, "content": {FHIR: {"schema": schema}}}
        return extra


ROUTES = (
    Route(
        "bundle", "/fhir", ("POST",), "take", "Take a Bundle in", "write", body=True, type="Bundle", answers=(200,)
    ),
    Route(
        "validate", "/fhir/$validate", ("POST",), "validate", "Check a resource", "validate", body=True,
        query=("profile", "mode"),
    ),
    Route(
        "deidentify", "/fhir/$de-identify", ("POST",), "deidentify", "Show what would leave", "validate", body=True,
        query=("explain",),
    ),
    Route("metadata", "/fhir/metadata", ("GET", "HEAD"), "metadata", "CapabilityStatement"),
    Route(
        "create", "/fhir/{type}", ("POST",), "take", "Take one resource in", "write", body=True, single=True,
        answers=(202,),
    ),
    Route(
        "validate-type", "/fhir/{type}/$validate", ("POST",), "validate", "Check a resource of a type", "validate",
        body=True, query=("profile", "mode"),
    ),
    Route(
        "validate-instance", "/fhir/{type}/{id}/$validate", ("POST",), "validate", "Check a resource under its id",
        "validate", body=True, query=("profile", "mode"),
    ),
    Route(
        "update", "/fhir/{type}/{id}", ("PUT",), "take", "Take one resource in under its id", "write", body=True,
        single=True, answers=(202,),
    ),
    Route(
        "delete", "/fhir/{type}/{id}", ("DELETE",), "take", "Take one resource out", "write", single=True,
        answers=(202,),
    ),
    Route(
        "oppose", "/rights/oppositions", ("POST",), "oppose", "A person objects", "rights", body=True, answers=(201,),
        query=("perimeter", "ground"),
    ),
    Route(
        "withdraw", "/rights/oppositions/{id}", ("DELETE",), "withdraw", "End an act", "rights", answers=(204,)
    ),
    Route(
        "erase", "/rights/erasures", ("POST",), "erase", "Erase a person", "rights", body=True, answers=(201,),
        query=("perimeter", "ground"),
    ),
    Route("receipt", "/rights/receipts/{id}", ("GET",), "receipt", "Signed receipt of an act", "rights"),
    Route(
        "smart", "/fhir/.well-known/smart-configuration", ("GET", "HEAD"), "smart", "SMART configuration",
        answers=(200, 404),
    ),
    Route(
        "token", "/auth/token", ("POST",), "token", "Access token for a signed assertion", answers=(200, 400, 401, 404)
    ),
    Route("live", "/health/live", ("GET", "HEAD"), "live", "Is the process up?", quiet=True),
    Route(
        "ready", "/health/ready", ("GET", "HEAD"), "ready", "Can an event be kept now?", answers=(200, 503), quiet=True
    ),
    Route("metrics", "/metrics", ("GET", "HEAD"), "metrics", "Prometheus metrics", quiet=True),
)  # fmt: skip


def parameters_of(route: Route, path: Mapping[str, str]) -> tuple[str | None, str, str | None]:
    """Return the expected type, the interaction and the id that an address says."""
    expected = path.get("type", route.type)
    return expected, (route.methods[0] if route.single else ""), path.get("id")


def allowed_methods(path: str) -> tuple[str, ...]:
    """Return the methods that an address takes; none when it does not exist."""
    found: dict[str, None] = {}
    for route in ROUTES:
        if _pattern(route.path).fullmatch(path if path != BASE + "/" else BASE):
            found |= dict.fromkeys(route.methods)
    return tuple(found)


def _names(path: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", path)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(
        "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", path))
    )
