"""`validate`: files → issues with line and column, offline, with the hospital's own choice of French profiles."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fhir_profiles.bundle import parse
from fhir_profiles.errors import Refused
from fhir_profiles.issues import Issue
from fhir_profiles.limits import Limits
from fhir_profiles.positions import with_positions
from fhir_profiles.strictness import USUAL, Strictness
from fhir_profiles.validator import FrenchProfiles, Validator, load_validator
from gateway.cli.inputs import PIPED, Document, documents, files, piped


@dataclass(frozen=True, slots=True)
class Report:
    """One file and everything found in it, in order."""

    file: str
    issues: tuple[Issue, ...]
    piped: bytes | None = field(default=None, repr=False)  # what stands in no file, for the excerpts alone

    @property
    def fails(self) -> bool:
        """Say whether something in it would be refused."""
        return any(one.blocks for one in self.issues)


def validate(
    paths: Sequence[Path],
    *,
    profiles: Sequence[str],
    definitions: Sequence[Path],
    french_profiles: FrenchProfiles,
    strictness: Strictness = USUAL,
) -> Iterator[Report]:
    """Yield one report a file."""
    validator = load_validator(definitions)
    for path in files(paths):
        found: list[Issue] = []
        content = sys.stdin.buffer.read() if path == PIPED else None
        for document in documents(path) if content is None else piped(content):
            issues = _issues(
                validator, document, profiles=profiles, french_profiles=french_profiles, strictness=strictness
            )
            found += placed_in(document, issues)
        yield Report(str(path), tuple(found), content)


def placed_in(document: Document, issues: Iterable[Issue]) -> Iterator[Issue]:
    """Give each issue its line and column in the file (NDJSON: the line of the document)."""
    offset = document.line - 1 if document.line else 0
    for one in with_positions(issues, document.content):
        yield one if one.line is None else replace(one, line=one.line + offset)


def _issues(
    validator: Validator,
    document: Document,
    *,
    profiles: Sequence[str],
    french_profiles: FrenchProfiles,
    strictness: Strictness,
) -> tuple[Issue, ...]:
    try:
        parsed = parse(document.content, Limits(), any_bundle=True)
    except Refused as refused:
        return refused.issues
    verdict = validator.validate(parsed, french_profiles=french_profiles, profiles=profiles, strictness=strictness)
    return verdict.issues
