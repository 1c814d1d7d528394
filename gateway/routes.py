"""The addresses of the gateway as data: routing, OpenAPI, CapabilityStatement and documents are made from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

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
    quiet: bool = False


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
    Route(
        "limit", "/rights/limitations", ("POST",), "limit", "Keep a person's rows from readers", "rights", body=True,
        answers=(201,), query=("perimeter", "ground"),
    ),
    Route("lift", "/rights/limitations/{id}", ("DELETE",), "withdraw", "End a limitation", "rights", answers=(204,)),
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
    Route("openapi", "/openapi.json", ("GET", "HEAD"), "openapi", "This list, as OpenAPI"),
)  # fmt: skip


def parameters_of(route: Route, path: Mapping[str, str]) -> tuple[str | None, str, str | None]:
    """Return the expected type, the interaction and the id that an address says."""
    expected = path.get("type", route.type)
    return expected, (route.methods[0] if route.single else ""), path.get("id")


def route_of(method: str, path: str) -> tuple[Route | None, Mapping[str, str]]:
    """Return the route of a request and what its address says; None when no route takes this method there."""
    for route, found in _matching(path):
        if method in route.methods:
            return route, found.groupdict()
    return None, {}


def allowed_methods(path: str) -> tuple[str, ...]:
    """Return the methods that an address takes; none when it does not exist."""
    return tuple(dict.fromkeys(method for route, _ in _matching(path) for method in route.methods))


def _matching(path: str) -> Iterator[tuple[Route, re.Match[str]]]:
    wanted = BASE if path == BASE + "/" else path  # some clients write the base with a slash
    return ((route, found) for route, pattern in _PATTERNS if (found := pattern.fullmatch(wanted)))


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", path)  # text, name, text, name, …
    return re.compile("".join(f"(?P<{one}>[^/]+)" if index % 2 else re.escape(one) for index, one in enumerate(parts)))


_PATTERNS = tuple((route, _pattern(route.path)) for route in ROUTES)
