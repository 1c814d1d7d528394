"""Routes and loaded profiles → the CapabilityStatement of `GET /fhir/metadata`, built and checked by fhir.resources.

Built in a short-lived child process: the model classes take 40 MB that no worker needs.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from fhir_profiles.errors import Fault
from fhir_profiles.resource_types import RESOURCE_TYPES
from fhir_profiles.validator import Validator
from gateway.routes import FHIR, ROUTES, Route

VALIDATE = "http://hl7.org/fhir/OperationDefinition/Resource-validate"
DEIDENTIFY = "https://fhir-snds-gateway.example/OperationDefinition/de-identify"
INTERACTIONS = {"POST": "create", "PUT": "update", "DELETE": "delete"}


def capability_statement(validator: Validator, types: Collection[str]) -> bytes:
    """Return the JSON of the CapabilityStatement; `types` are taken in. Raises Fault when the models do not take it."""
    content = statement(ROUTES, profiles_by_type(validator), types)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(reader)
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(modelled(content))
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        made = pipe.read()
    _, status = os.waitpid(child, 0)
    if status or not made:
        raise Fault("capability")
    return made


def modelled(content: dict[str, Any]) -> bytes:
    """Pass a CapabilityStatement through its model: what it writes is valid by construction."""
    from fhir.resources.R4B.capabilitystatement import CapabilityStatement

    made: str = CapabilityStatement.model_validate(content).model_dump_json()
    return made.encode()


def profiles_by_type(validator: Validator) -> dict[str, list[str]]:
    """Return the profiles that a resource of each type may be checked against."""
    found: dict[str, list[str]] = {}
    for key in validator.profiles.canonicals():
        kind = validator.profiles.type_of(key)
        if kind in RESOURCE_TYPES and not key.startswith("http://hl7.org/fhir/StructureDefinition/" + kind + "|"):
            found.setdefault(kind, []).append(key)
    return found


def statement(routes: Sequence[Route], profiles: dict[str, list[str]], types: Collection[str]) -> dict[str, Any]:
    """Say what the routes do, for every resource type that is taken in."""
    single = [INTERACTIONS[method] for route in routes if route.single for method in route.methods]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": datetime.now(UTC).date().isoformat(),
        "kind": "instance",
        "software": {"name": "fhir-snds-gateway", "version": version("fhir-snds-gateway")},
        "implementation": {"description": "FHIR → SNDS gateway: takes resources in, gives none back"},
        "fhirVersion": "4.0.1",
        "format": [FHIR],
        "rest": [
            {
                "mode": "server",
                "security": {"description": "Authorization: Bearer, with the hospital's key; scopes write, validate"},
                "resource": [
                    {
                        "type": kind,
                        "profile": f"http://hl7.org/fhir/StructureDefinition/{kind}",
                        **({"supportedProfile": sorted(profiles[kind])} if kind in profiles else {}),
                        "interaction": [{"code": one} for one in single],
                        "versioning": "no-version",
                        "readHistory": False,
                        "updateCreate": True,
                        "conditionalCreate": False,
                        "conditionalUpdate": False,
                        "conditionalDelete": "not-supported",
                        "operation": [{"name": "validate", "definition": VALIDATE}],
                    }
                    for kind in sorted(RESOURCE_TYPES & set(types) - {"Bundle"})
                ],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
                "operation": [
                    {"name": "validate", "definition": VALIDATE},
                    {"name": "de-identify", "definition": DEIDENTIFY},
                ],
            }
        ],
    }
