"""R4's own SearchParameters (a Bundle) → fhir_profiles/definitions/r4-search-parameters.json.xz.

Facts alone, by url: type, bases, expression. Same input, same bytes. Usage: build_search_parameters.py FILE, the
`dist/fhir/r4/search-parameters.json` of the npm package that docs/sources.md names for R4.
"""

from __future__ import annotations

import json
import lzma
import sys
from pathlib import Path
from typing import Any

from fhir_profiles.search_parameters import TABLE

TARGET = Path(__file__).resolve().parents[1] / "fhir_profiles" / "definitions" / TABLE


def table(bundle: dict[str, Any]) -> bytes:
    """Return the facts, compressed."""
    listed = [entry["resource"] for entry in bundle["entry"]]
    facts = {one["url"]: [one["type"], sorted(one["base"]), one.get("expression", "")] for one in listed}
    text = json.dumps(facts, separators=(",", ":"), sort_keys=True)
    return lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)


def main() -> int:
    """Write the table."""
    content = table(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    TARGET.write_bytes(content)
    print(f"{TABLE}: {len(content)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
