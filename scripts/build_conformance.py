"""../shared/hl7-cases → docs/conformance.md: our verdicts beside those of HL7's own validator.

Run it after a change of the validator: `python -m scripts.build_conformance [SHARED]`. With `--check` it writes nothing
and fails when the document is not what it would write.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from tests.support.hl7_cases import Outcome, Run, judge, runs

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENT = PROJECT / "docs" / "conformance.md"
REASONS = PROJECT / "tests" / "conformance" / "reasons.toml"

HEAD = """# Conformance: HL7's own validator cases

Made by `python -m scripts.build_conformance`; a test fails when it is out of date. The cases are those of the public
repository FHIR/fhir-test-cases (commit 2dee8a0f) for R4 JSON that need no terminology server and no other package.
Every file goes through the call that `snds-gateway validate FILE --definitions …` makes; no case has code of its own.

| | agree | of | share |
|---|---|---|---|
"""


def document(shared: Path) -> str:
    """Return the text of the document."""
    judged = [(run, judge(run)) for run in runs(shared)]
    verdicts = [run.valid == (not outcome.errors) for run, outcome in judged]
    numbers = [run.errors == len(outcome.errors) for run, outcome in judged]
    lines = [
        HEAD.rstrip("\n"),
        _share("verdict (an error, or none)", verdicts),
        _share("number of errors", numbers),
        "",
        "## Verdicts that differ",
        "",
    ]
    reasons = tomllib.loads(REASONS.read_text(encoding="utf-8"))
    differ = [(run, outcome) for (run, outcome), same in zip(judged, verdicts, strict=True) if not same]
    lines += ["| case | HL7 says | we say | reason |", "|---|---|---|---|"] if differ else ["None.", ""]
    lines += [_difference(run, outcome, reasons) for run, outcome in differ]
    lines += [
        "",
        "## Every case",
        "",
        "| case | module | HL7: errors | here: errors | our codes |",
        "|---|---|---|---|---|",
    ]
    lines += [_line(run, outcome) for run, outcome in judged]
    return "\n".join(lines) + "\n"


def _share(what: str, same: list[bool]) -> str:
    return f"| {what} | {sum(same)} | {len(same)} | {sum(same) / len(same):.1%} |"


def _difference(run: Run, outcome: Outcome, reasons: dict[str, str]) -> str:
    reason = reasons.get(run.name, "*not explained yet*")
    return f"| {run.name} | {_verdict(run.errors)} | {_verdict(len(outcome.errors))} | {reason} |"


def _verdict(errors: int) -> str:
    return f"{errors} errors" if errors > 1 else "1 error" if errors else "valid"


def _line(run: Run, outcome: Outcome) -> str:
    codes = ", ".join(sorted({f"`{one.code}`" for one in outcome.errors}))
    return f"| {run.name} | {run.module} | {run.errors} | {len(outcome.errors)} | {codes} |"


def main() -> int:
    """Write the document, or compare it."""
    arguments = [one for one in sys.argv[1:] if one != "--check"]
    text = document(Path(arguments[0]) if arguments else PROJECT.parent / "shared")
    if "--check" in sys.argv:
        return int(DOCUMENT.read_text(encoding="utf-8") != text)
    DOCUMENT.write_text(text, encoding="utf-8")
    print("\n".join(line for line in text.splitlines() if line.startswith(("| verdict", "| number"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
