"""Small StructureDefinitions for tests: a differential over an R4 type, or a snapshot cut to what the test needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Json = dict[str, Any]
MADE = "https://profils.example/StructureDefinition/"


def profile(name: str, kind: str, *elements: Json, base: str | None = None, version: str = "1") -> Json:
    """Return a profile with a differential alone."""
    return {
        "resourceType": "StructureDefinition",
        "url": MADE + name,
        "version": version,
        "name": name,
        "status": "active",
        "kind": "resource" if kind[0].isupper() and kind not in DATATYPES else "complex-type",
        "abstract": False,
        "type": kind,
        "baseDefinition": base or f"http://hl7.org/fhir/StructureDefinition/{kind}",
        "derivation": "constraint",
        "differential": {"element": [{"id": kind, "path": kind}, *elements]},
    }


DATATYPES = ("Extension", "Identifier", "Address", "HumanName", "CodeableConcept", "Coding")


def element(identity: str, **facts: Any) -> Json:
    """Return a differential element; its path is its id without slice names."""
    path = ".".join(part.partition(":")[0] for part in identity.split("."))
    found = {"id": identity, "path": path} | facts
    if ":" in identity.rpartition(".")[2]:
        found["sliceName"] = identity.rpartition(":")[2]
    return found


def slicing(identity: str, *discriminators: tuple[str, str], rules: str = "open", ordered: bool = False) -> Json:
    """Return the element that is sliced."""
    return element(
        identity,
        slicing={
            "discriminator": [{"type": kind, "path": path} for kind, path in discriminators],
            "rules": rules,
            "ordered": ordered,
        },
    )


def extension(name: str, value: str, *, context: str = "Element", **facts: Any) -> Json:
    """Return a simple extension with a value of one type."""
    made = profile(
        name,
        "Extension",
        element("Extension.extension", max="0"),
        element("Extension.url", fixedUri=MADE + name),
        element("Extension.value[x]", type=[{"code": value}], **facts),
    )
    return made | {"context": [{"type": "element", "expression": context}]}


def value_set(name: str, *codes: str, system: str = "https://codes.example") -> Json:
    """Return a value set of listed codes."""
    return {
        "resourceType": "ValueSet",
        "url": f"https://profils.example/ValueSet/{name}",
        "status": "active",
        "compose": {"include": [{"system": system, "concept": [{"code": code} for code in codes]}]},
    }


def written(folder: Path, *definitions: Json) -> Path:
    """Write definitions as JSON files and return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(definitions):
        (folder / f"{number}.json").write_text(json.dumps(one), encoding="utf-8")
    return folder
