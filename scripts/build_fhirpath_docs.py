"""Tables of docs/spec-clarifications.md that are data: corrected and skipped invariants, official cases left out.

Rewrites what stands between the `fhirpath:` markers; a test fails when the page is stale.
"""

from __future__ import annotations

import re
from pathlib import Path

from fhir_profiles.compiler.corrections import CORRECTIONS, SKIPPED
from tests.support.fhirpath_unsupported import UNSUPPORTED

PAGE = Path(__file__).resolve().parents[1] / "docs" / "spec-clarifications.md"


def code(text: str) -> str:
    """Return an expression as a cell of a table."""
    return "`` " + text.replace("|", "\\|") + " ``"


def tables() -> dict[str, str]:
    """Return the text of every marked part."""
    corrected = [f"| {code(old)} | {code(new)} | {why} |" for old, (new, why) in CORRECTIONS.items()]
    skipped = [f"| {code(rule)} | {why} |" for rule, why in SKIPPED.items()]
    reasons = dict.fromkeys(UNSUPPORTED.values())
    listed = [f"| {', '.join(n for n, why in UNSUPPORTED.items() if why == one)} | {one} |" for one in reasons]
    return {
        "corrections": "\n".join(["| as published | as evaluated | why |", "|---|---|---|", *corrected]),
        "skipped": "\n".join(["| invariant | why |", "|---|---|", *skipped]),
        "unsupported": "\n".join(["| cases | why |", "|---|---|", *listed]),
    }


def written(page: str) -> str:
    """Return the page with its marked parts rewritten."""
    for name, text in tables().items():
        start, end = f"<!-- fhirpath: {name} -->", f"<!-- fhirpath: end of {name} -->"
        pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
        page = pattern.sub(lambda _match, text=text, start=start, end=end: f"{start}\n{text}\n{end}", page)
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(PAGE.name)
