"""HL7's own validator cases with the reference verdicts: each run gives our verdict beside the official one.

Nothing is special-cased: every file goes through the same call that the command line makes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from fhir_profiles.bundle import parse
from fhir_profiles.errors import Misconfigured, Refused
from fhir_profiles.issues import Issue
from fhir_profiles.limits import Limits
from fhir_profiles.strictness import Strictness
from fhir_profiles.validator import Validator, load_validator

# What the suite's own runner sets for every case (its ValidationTests): an extension that no definition knows is an
# error, and whether a reference leads anywhere is not asked.
SUITE = Strictness(unknown_extensions="error", unresolved_references="warning")


@dataclass(frozen=True, slots=True)
class Run:
    """One case, or one of its profile runs, with the official verdict (`valid` = no error) and number of errors."""

    name: str
    module: str
    file: Path
    definitions: tuple[Path, ...]
    profile: str | None
    valid: bool
    errors: int
    strictness: Strictness


@dataclass(frozen=True, slots=True)
class Outcome:
    """What we say: the issues, how much processor time it took once the definitions were loaded."""

    issues: tuple[Issue, ...]
    seconds: float

    @property
    def errors(self) -> tuple[Issue, ...]:
        return tuple(one for one in self.issues if one.blocks)


def runs(shared: Path) -> Iterator[Run]:
    """Yield every case and every profile run."""
    folder = shared / "hl7-cases" / "validator"
    for case in json.loads((folder / "cases.json").read_text(encoding="utf-8")):
        beside = [folder / "files" / name for name in (*case["supporting"], *case["profiles"])]
        strictness = switched(case["options"])
        file = folder / "files" / case["file"]
        yield _run(case["name"], case, file, beside, None, strictness)
        for number, extra in enumerate(case["profile_runs"], 1):
            source = folder / "files" / extra["source"]
            more = [*beside, *(folder / "files" / name for name in extra["supporting"]), source]
            url = json.loads(source.read_text(encoding="utf-8"))["url"]
            yield _run(f"{case['name']} (profile run {number})", case | extra, file, more, url, strictness)


def switched(options: Mapping[str, Any]) -> Strictness:
    """Return the suite's settings with the switches of one case."""
    return replace(
        SUITE,
        example_urls="error" if options.get("examples") is False else SUITE.example_urls,
        html_in_strings="error" if options.get("security-checks") else SUITE.html_in_strings,
    )


def _run(
    name: str, case: dict[str, Any], file: Path, beside: list[Path], profile: str | None, strictness: Strictness
) -> Run:
    expect = case["expect"]
    definitions = tuple(dict.fromkeys(path for path in beside if _is_definition(path)))
    return Run(name, case["module"], file, definitions, profile, expect["valid"], expect["errors"], strictness)


def _is_definition(path: Path) -> bool:
    kind = json.loads(path.read_text(encoding="utf-8-sig")).get("resourceType")
    return kind in ("StructureDefinition", "ValueSet", "CodeSystem", "ImplementationGuide", "Bundle")


@cache
def _validator(definitions: tuple[Path, ...]) -> Validator:
    return load_validator(definitions)


def judge(run: Run) -> Outcome:
    """Validate one file as `snds-gateway validate FILE --definitions …` does."""
    validator = _validator(run.definitions)
    content = run.file.read_bytes()
    profiles = (run.profile,) if run.profile else ()
    start = time.process_time()
    try:
        parsed = parse(content, Limits(), any_bundle=True)
        verdict = validator.validate(parsed, french_profiles="declared", profiles=profiles, strictness=run.strictness)
        issues = verdict.issues
    except Refused as refused:
        issues = refused.issues
    except Misconfigured as wrong:
        raise AssertionError(f"{run.name}: {wrong}") from wrong
    return Outcome(issues, time.process_time() - start)
