"""requirements.lock → a CycloneDX 1.5 list of what the product is made of: names, versions, licences, digests.

`python -m scripts.build_sbom FILE`. The same lock file gives the same bytes.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+?)(?: ;.*)? \\$")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def pins(lock: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield name, version and digests of each pin, in order."""
    found: list[tuple[str, str, list[str]]] = []
    for line in lock.splitlines():
        if match := PIN.match(line):
            found.append((match[1], match[2], []))
        elif found and (digest := HASH.search(line)):
            found[-1][2].append(digest[1])
    yield from found


def licence(name: str) -> str:
    """Return what the installed package says of its licence; nothing when it is not installed here."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return ""
    for given in (said.get("License-Expression"), said.get("License")):
        if given and "\n" not in given and given != "UNKNOWN":
            return str(given)
    classes = [one for one in said.get_all("Classifier") or [] if one.startswith("License ::")]
    return " AND ".join(one.rpartition(":: ")[2] for one in classes)


def component(name: str, version: str, digests: list[str]) -> dict[str, Any]:
    """Return one component; digests are those of the files that the lock file accepts."""
    address = f"pkg:pypi/{name}@{version}"
    made: dict[str, Any] = {"type": "library", "bom-ref": address, "name": name, "version": version, "purl": address}
    if said := licence(name):
        made["licenses"] = [{"license": {"name": said}}]
    made["properties"] = [{"name": "fhir-snds-gateway:sha256", "value": digest} for digest in digests]
    return made


def document() -> str:
    """Return the whole list."""
    lock = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    made = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, project['version'] + lock)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": project["name"],
                "name": project["name"],
                "version": project["version"],
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": [component(*one) for one in pins(lock)],
    }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the list into the file that the command names."""
    if len(sys.argv) != 2:
        print("python -m scripts.build_sbom FILE", file=sys.stderr)
        return 2
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(document(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
