"""`validate`: files → issues with line and column, offline, with the hospital's own choice of French profiles."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fhir_profiles.bundle import parse
from fhir_profiles.errors import Refused
from fhir_profiles.issues import Issue, issue
from fhir_profiles.limits import Limits
from fhir_profiles.positions import with_positions
from fhir_profiles.strictness import USUAL, Strictness
from fhir_profiles.validator import FrenchProfiles, Validator, load_validator
from gateway.cli import screen
from gateway.cli.inputs import PIPED, Document, documents, files, piped

SHOWN = 10  # rules that are not checked, by name; the rest is counted


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller asks: with which definitions, against which profiles, how strictly."""

    validator: Validator
    profiles: tuple[str, ...]
    french_profiles: FrenchProfiles
    strictness: Strictness


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
    french_rules: bool = True,
) -> Iterator[Report]:
    """Yield one report a file."""
    asked = Asked(load_validator(definitions, french_rules=french_rules), tuple(profiles), french_profiles, strictness)
    for package, missing in asked.validator.profiles.missing:
        screen.complain(f"{package} depends on {missing}, which is not loaded: give it with --definitions too")
    for path in files(paths):
        found: list[Issue] = []
        used: dict[str, None] = {}
        content = sys.stdin.buffer.read() if path == PIPED else None
        for document in documents(path) if content is None else piped(content):
            issues, keys = _judged(asked, document)
            found += placed_in(document, issues)
            used |= dict.fromkeys(keys)
        found += _not_checked(asked.validator, used)
        yield Report(str(path), tuple(found), content)


def _not_checked(validator: Validator, used: Iterable[str]) -> Iterator[Issue]:
    """Say which rules of the caller's own definitions were not checked: once a file and profile."""
    for key in used:
        rules = validator.profiles.unchecked(key)
        if rules:
            told = ", ".join(rule for rule, _ in rules[:SHOWN])
            more = f", … ({len(rules)})" if len(rules) > SHOWN else ""
            yield replace(issue("profile-rules-not-checked", rules=told + more), profile=key)


def placed_in(document: Document, issues: Iterable[Issue]) -> Iterator[Issue]:
    """Give each issue its line and column in the file (NDJSON: the line of the document)."""
    offset = document.line - 1 if document.line else 0
    for one in with_positions(issues, document.content):
        yield one if one.line is None else replace(one, line=one.line + offset)


def _judged(asked: Asked, document: Document) -> tuple[tuple[Issue, ...], tuple[str, ...]]:
    """Return the issues of a document, and those of the caller's own profiles that were used."""
    try:
        parsed = parse(document.content, Limits(), any_bundle=True)
    except Refused as refused:
        return refused.issues, ()
    validator, french, profiles = asked.validator, asked.french_profiles, asked.profiles
    verdict = validator.validate(parsed, french_profiles=french, profiles=profiles, strictness=asked.strictness)
    added = validator.profiles.added()
    used = validator.profiles_of(parsed, french_profiles=french, profiles=profiles) if added else ()
    return verdict.issues, tuple(key for key in used if key in added)
