"""Packaged R4 definitions → fhir_profiles/definitions/r4-types.json.xz, the type table that FHIRPath reads.

Facts only (element names, JSON keys, types). Run after build_definitions.py; a unit test fails when it is stale.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path

from fhir_profiles.compiler.library import Library
from fhir_profiles.fhirpath.types import TABLE, elements_of, to_table
from fhir_profiles.package import packaged

DEFINITIONS = Path(__file__).resolve().parents[1] / "fhir_profiles" / "definitions"


def build() -> bytes:
    """Return the table, compressed."""
    library = Library([packaged("r4")])
    table = {}
    for one in library.definitions():
        if one.raw["kind"] in ("resource", "complex-type") and one.raw.get("derivation") != "constraint":
            found = library.read(one)
            table[found.type] = to_table(elements_of(found))
    text = json.dumps(table, separators=(",", ":"), sort_keys=True)
    return lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)


if __name__ == "__main__":
    content = build()
    (DEFINITIONS / TABLE).write_bytes(content)
    print(f"{TABLE}: {len(content)} bytes")
