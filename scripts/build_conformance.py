"""../shared/hl7-cases → docs/conformance.md: our verdicts beside those of HL7's own validator, and of other libraries.

Run it after a change of the validator: `python -m scripts.build_conformance [SHARED]`. With `--check` it writes nothing
and fails when the document is not what it would write; times, which no two runs share, are not compared.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from scripts.conformance_differences import judged as judged_mutations
from scripts.conformance_differences import section
from tests.support.hl7_cases import Outcome, Run, judge, runs

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENT = PROJECT / "docs" / "conformance.md"
REASONS = PROJECT / "tests" / "conformance" / "reasons.toml"

HEAD = """# Conformance

Made by `python -m scripts.build_conformance`; a test fails when it is out of date (times apart).

## HL7's own validator cases

The cases are those of the public repository FHIR/fhir-test-cases (commit 2dee8a0f) for R4 JSON that need no terminology
server and no other package. Every file goes through the call that `snds-gateway validate FILE --definitions …` makes;
no case has code of its own.

The switches of HL7's validator are options of ours (`--judge`). For every case, as HL7's suite does:
`unknown-extensions=error unresolved-references=warning`. Where a case says `examples: false`, `example-urls=error`;
where it says `security-checks`, `html-in-strings=error`. The verdict on what hospitals send uses none of them.

| | agree | of | share |
|---|---|---|---|
"""
TIMES = re.compile(r"\b[0-9]+\.[0-9] ms")

Judged = Sequence[tuple[Run, Outcome]]


def document(shared: Path) -> str:
    """Return the text of the document."""
    judged = [(run, judge(run)) for run in runs(shared)]
    lines = [
        HEAD.rstrip("\n"),
        *_shares("verdict (an error, or none)", judged, [agrees(*one) for one in judged]),
        *_shares("number of errors", judged, [counts_alike(*one) for one in judged]),
        "",
        _times([outcome.seconds for _, outcome in judged]),
        "",
        "### Verdicts that differ",
        "",
    ]
    reasons = tomllib.loads(REASONS.read_text(encoding="utf-8"))
    differ = [one for one in judged if not agrees(*one)]
    lines += ["| case | HL7 says | we say | reason |", "|---|---|---|---|"] if differ else ["None."]
    lines += [_difference(run, outcome, reasons) for run, outcome in differ]
    counted = [one for one in judged if agrees(*one) and not counts_alike(*one)]
    lines += ["", "### Numbers of errors that differ, under one verdict", ""]
    lines += ["| case | HL7 says | we say | reason |", "|---|---|---|---|"] if counted else ["None."]
    lines += [_difference(run, outcome, reasons) for run, outcome in counted]
    lines += [
        "",
        "### Every case",
        "",
        "| case | module | HL7: errors | here: errors | our codes | time |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_line(run, outcome) for run, outcome in judged]
    return "\n".join(lines) + "\n\n" + section(judged_mutations())


def agrees(run: Run, outcome: Outcome) -> bool:
    """Say whether the verdict is HL7's."""
    return run.valid == (not outcome.errors)


def counts_alike(run: Run, outcome: Outcome) -> bool:
    """Say whether there are as many errors as HL7 finds."""
    return run.errors == len(outcome.errors)


def without_times(text: str) -> str:
    """Return a document without what differs from run to run."""
    return TIMES.sub("… ms", text)


def _shares(what: str, judged: Judged, same: list[bool]) -> list[str]:
    base = [agreed for (run, _), agreed in zip(judged, same, strict=True) if run.profile is None]
    return [_share(f"{what}: all runs", same), _share(f"{what}: cases without their profile runs", base)]


def _times(seconds: list[float]) -> str:
    middle, worst = _ms(median(seconds)), _ms(max(seconds))
    return f"Processor time of a case once its definitions are loaded: median {middle}, worst {worst}."


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _share(what: str, same: list[bool]) -> str:
    return f"| {what} | {sum(same)} | {len(same)} | {sum(same) / len(same):.1%} |"


def _difference(run: Run, outcome: Outcome, reasons: dict[str, str]) -> str:
    reason = reasons.get(run.name, "*not explained yet*")
    return f"| {run.name} | {_verdict(run.errors)} | {_verdict(len(outcome.errors))} | {reason} |"


def _verdict(errors: int) -> str:
    return f"{errors} errors" if errors > 1 else "1 error" if errors else "valid"


def _line(run: Run, outcome: Outcome) -> str:
    codes = ", ".join(sorted({f"`{one.code}`" for one in outcome.errors}))
    return f"| {run.name} | {run.module} | {run.errors} | {len(outcome.errors)} | {codes} | {_ms(outcome.seconds)} |"


def main() -> int:
    """Write the document, or compare it."""
    arguments = [one for one in sys.argv[1:] if one != "--check"]
    text = document(Path(arguments[0]) if arguments else PROJECT.parent / "shared")
    if "--check" in sys.argv:
        return int(without_times(DOCUMENT.read_text(encoding="utf-8")) != without_times(text))
    DOCUMENT.write_text(text, encoding="utf-8")
    print("\n".join(line for line in text.splitlines() if line.startswith(("| verdict", "| number"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
