"""The five public cases of a university hospital's guide, each as one batch Bundle of PUT entries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CASES = ("cas1", "cas2", "cas4", "cas6", "cas8")


def resources(shared: Path, case: str) -> list[dict[str, Any]]:
    folder = shared / "fhir-eds" / "aphp-dm" / "examples" / case
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def batch(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [
            {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
            for one in entries
        ],
    }


def identifying(shared: Path) -> set[str]:
    """Every name, identifier value, exact birth date, local id and display of the 83 resources."""
    found: set[str] = set()

    def visit(node: Any, key: str) -> None:
        if isinstance(node, dict):
            for name, value in node.items():
                visit(value, name)
        elif isinstance(node, list):
            for value in node:
                visit(value, key)
        elif isinstance(node, str) and key in ("family", "given", "id", "birthDate", "display", "text", "reference"):
            found.add(node)

    for case in CASES:
        for resource in resources(shared, case):
            visit(resource, "")
            if resource["resourceType"] == "Patient":
                found |= {identifier["value"] for identifier in resource["identifier"]}
    return {value for value in found if len(value) > 4}
