"""ParsedBundle → Verdict: bundle rules, R4 base, declared and French profiles, references, French business rules.

Reports every issue in document order (at most CAP), the same for the same bytes (Promise: P21). Never changes the
bundle, never reads the network. In a batch each entry is accepted or refused by itself; else all or nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from fhir_profiles.bundle import parse
from fhir_profiles.bundle_rules import COVERED, all_plain, check_bundle, check_entries, check_repetitions
from fhir_profiles.capping import capped, entry_number
from fhir_profiles.compiler import CheckContext, Profiles, Shared, load_profiles, place_of
from fhir_profiles.compiler.findings import Findings
from fhir_profiles.conformance_rules import RULES as CONFORMANCE_TYPES
from fhir_profiles.conformance_rules import conformance_issues
from fhir_profiles.consequences import without_consequences
from fhir_profiles.errors import Refused
from fhir_profiles.french.rules import FRENCH_TYPES, french_issues
from fhir_profiles.issues import Issue, issue
from fhir_profiles.limits import Limits
from fhir_profiles.nomenclatures import Nomenclatures, load_nomenclatures
from fhir_profiles.plans import ABSTRACT, FrenchProfiles, Kept, Plan, Planner
from fhir_profiles.positions import with_positions
from fhir_profiles.references import BundleIndex, check_references
from fhir_profiles.strictness import USUAL, Strictness, reweighed, strict_issues
from fhir_profiles.values import Entry, ParsedBundle, ValidBundle, Verdict

__all__ = ["FrenchProfiles", "Validator", "load_validator"]

# With one of these in a resource, paths made of its keys may hold what the sender wrote.
UNKNOWN_NAMES = ("unknown-element", "element-of-other-version")


Broken = list[tuple[str, Findings]]

CODE_FAULTS = ("code-not-in-value-set", "code-missing", "code-outside-extensible")


@dataclass(frozen=True, slots=True)
class Validator:
    """The loaded profiles and what may be asked of them; one a process.

    In two lines: `validator = Validator.load()`, then `validator.validate(content).issues`.
    """

    profiles: Profiles
    nomenclatures: Nomenclatures = field(default_factory=Nomenclatures)
    french_rules: bool = True  # the warnings of `french/`
    plans: Kept = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def load(
        cls,
        definitions: Sequence[Path] = (),
        *,
        cache_dir: Path | None = None,
        nomenclatures: Path | None = None,
        french_rules: bool = True,
    ) -> Validator:
        """Load the packaged definitions, those of the caller, the code lists of a folder. Raises Misconfigured.

        Without `french_rules` no French business rule (NIR, RPPS, FINESS…) gives its warning.
        """
        loaded = load_profiles(definitions, cache_dir=cache_dir)
        return cls(loaded, load_nomenclatures(nomenclatures), french_rules)

    @property
    def definitions_version(self) -> str:
        """Return the packages and their digest, as events carry it."""
        return "+".join(self.profiles.packages) + ":" + self.profiles.digest

    def validate(
        self,
        parsed: ParsedBundle | bytes,
        *,
        french_profiles: FrenchProfiles = "enforce",
        profiles: Sequence[str] = (),
        strictness: Strictness = USUAL,
    ) -> Verdict:
        """Check everything; `profiles` are canonicals that the caller asks for beyond those declared.

        Bytes are read first, under the usual limits: what cannot be read is the issue of the verdict, and every issue
        has its line and column.
        """
        if isinstance(parsed, bytes):
            return _of_bytes(self, parsed, french_profiles, profiles, strictness)
        return _Run(self, parsed, french_profiles, tuple(profiles)).verdict(strictness)

    def profiles_of(
        self, parsed: ParsedBundle, *, french_profiles: FrenchProfiles = "enforce", profiles: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Return the keys of the profiles that a verdict on this would use, with those they derive from."""
        run = _Run(self, parsed, french_profiles, tuple(profiles))
        resources = [(one.type, one.resource) for one in parsed.entries if one.resource is not None and one.type]
        if parsed.kind != "single":
            resources.append(("Bundle", parsed.root))
        return tuple(dict.fromkeys(key for one in resources for key in run.planner.plan(*one).covered))

    def validate_resource(
        self,
        resource: dict[str, Any],
        *,
        french_profiles: FrenchProfiles = "enforce",
        profiles: Sequence[str] = (),
    ) -> tuple[Issue, ...]:
        """Check one resource (not a Bundle) that is JSON already."""
        kind = str(resource.get("resourceType"))
        entry = Entry(index=0, path=kind, type=kind, resource=resource)
        parsed = ParsedBundle("single", (entry,), resource, 0, orjson.dumps(resource))
        return self.validate(parsed, french_profiles=french_profiles, profiles=profiles).issues


def load_validator(
    definitions: Sequence[Path] = (),
    *,
    cache_dir: Path | None = None,
    nomenclatures: Path | None = None,
    french_rules: bool = True,
) -> Validator:
    """Load the packaged definitions and those of the operator, and the code lists of a folder. Raises Misconfigured."""
    return Validator.load(definitions, cache_dir=cache_dir, nomenclatures=nomenclatures, french_rules=french_rules)


def _of_bytes(
    validator: Validator,
    content: bytes,
    french_profiles: FrenchProfiles,
    profiles: Sequence[str],
    strictness: Strictness,
) -> Verdict:
    try:
        parsed = parse(content, Limits(), any_bundle=True)
    except Refused as refused:
        return Verdict(with_positions(refused.issues, content))
    verdict = validator.validate(parsed, french_profiles=french_profiles, profiles=profiles, strictness=strictness)
    placed = iter(with_positions(verdict.issues, content))
    of_bundle = tuple(next(placed) for _ in verdict.bundle_issues)
    of_entry = {
        number: tuple(next(placed) for _ in verdict.entry_issues[number]) for number in sorted(verdict.entry_issues)
    }
    return Verdict(of_bundle, of_entry, verdict.valid)


def fault(found: Issue) -> tuple[str | None, ...]:
    """Return what makes two findings one fault: of codes, the element alone, whatever value sets refuse them."""
    if found.code in CODE_FAULTS:
        return ("code", found.expression)
    params = found.params
    return (found.code, found.expression, found.rule, params.get("element"), params.get("slice"), params.get("key"))


class _Run:
    """One validation: the issues found so far, by entry."""

    def __init__(
        self, validator: Validator, parsed: ParsedBundle, french_profiles: FrenchProfiles, forced: tuple[str, ...]
    ) -> None:
        self.profiles = profiles = validator.profiles
        self.nomenclatures = validator.nomenclatures
        self.french_types = FRENCH_TYPES if validator.french_rules else frozenset[str]()
        self.with_nomenclatures = bool(validator.nomenclatures)
        self.parsed = parsed
        self.index = BundleIndex(parsed)
        self.of_bundle: list[Issue] = []
        self.of_entry: dict[int, list[Issue]] = defaultdict(list)
        self.shared = Shared()
        self.context = profiles.context({}, shared=self.shared)
        self.planner = Planner(profiles, french_profiles, list(self._forced(forced)), kept=validator.plans)

    def verdict(self, strictness: Strictness) -> Verdict:
        checked = [(one, one.resource) for one in self.parsed.entries if one.resource is not None and one.type]
        plans = [self.planner.plan(entry.type, resource) for entry, resource in checked]
        for (_, resource), plan in zip(checked, plans, strict=True):
            self.shared.planned[id(resource)] = plan.covered
        plain = all_plain(self.parsed)
        self._bundle(plain=plain)
        for number, found in check_repetitions(self.parsed) if plain else check_entries(self.parsed):
            self.of_entry[number].append(found)
        for (entry, resource), plan in zip(checked, plans, strict=True):
            issues = self._entry(entry, resource, plan)
            if issues:
                self.of_entry[entry.index] += issues
        for number, found in check_references(self.parsed, self.index):
            if not any(one.code in UNKNOWN_NAMES for one in self.of_entry[number]):
                self.of_entry[number].append(found)
        if strictness is not USUAL and strictness != USUAL:
            self._weigh(strictness)
        return self._verdict()

    def _weigh(self, strictness: Strictness) -> None:
        """Judge as the caller asks: other severities, and what the usual verdict does not look at."""
        if self.parsed.kind != "single":
            for one in strict_issues(self.parsed.root, "Bundle", strictness):
                number = entry_number(one.expression)
                (self.of_bundle if number is None else self.of_entry[number]).append(one)
        for entry in self.parsed.entries:
            if entry.resource is not None:
                self.of_entry[entry.index] += strict_issues(entry.resource, entry.path, strictness)
        self.of_bundle = reweighed(self.of_bundle, strictness)
        for number, found in self.of_entry.items():
            self.of_entry[number] = reweighed(found, strictness)

    def _forced(self, canonicals: Iterable[str]) -> Iterator[str]:
        """Yield the keys of the profiles asked for; one of a type that nothing here has is an error."""
        types = {entry.type for entry in self.parsed.entries if entry.resource is not None}
        if self.parsed.kind != "single":
            types.add("Bundle")
        for canonical in canonicals:
            key = self.profiles.resolve(canonical)
            if key is None:
                self.of_bundle.append(replace(issue("profile-requested-unknown"), quote=canonical[:64]))
            elif (wanted := self.profiles.type_of(key)) in types or wanted in ABSTRACT:
                yield key
            else:
                self.of_bundle.append(replace(issue("profile-requested-unused", expected=wanted), profile=key))

    def _bundle(self, *, plain: bool) -> None:
        """Check the Bundle itself; what concerns one entry goes to that entry. Where all are plain, none is read."""
        if self.parsed.kind == "single":
            return
        self.of_bundle += check_bundle(self.parsed)
        root = self.parsed.root
        plan = self.planner.plan("Bundle", root)
        if plain and len(plan.keys) == 1:
            root = {name: value for name, value in root.items() if name != "entry"}
        context = self.profiles.context(
            root, resolve=self.index.resolve, skip_entries=True, keys=plan.keys, shared=self.shared
        )
        broken = [(key, below) for key, check in plan.checks if (below := check(root, context)) is not None]
        for one in self._told(broken, plan, root, "Bundle", context):
            if one.rule not in COVERED:
                number = entry_number(one.expression)
                (self.of_bundle if number is None else self.of_entry[number]).append(one)

    def _entry(self, entry: Entry, resource: dict[str, Any], plan: Plan) -> list[Issue]:
        context, kind = self.context, entry.type
        context.turn_to(resource, self.index.resolver(entry), plan.surroundings)
        broken = [(key, below) for key, check in plan.checks if (below := check(resource, context)) is not None]
        issues = self._told(broken, plan, resource, entry.path, context) if broken or plan.objections else []
        if kind in self.french_types:
            issues += french_issues(kind, resource, entry.path, checked=plan.keys)
        if kind in CONFORMANCE_TYPES:
            issues = conformance_issues(kind, resource, entry.path, issues)
        if self.with_nomenclatures:
            issues += self.nomenclatures.issues(resource, entry.path)
        return issues

    def _told(
        self, broken: Broken, plan: Plan, resource: dict[str, Any], path: str, context: CheckContext
    ) -> list[Issue]:
        """Tell what the checks found; what two profiles find alike is told once, by the first (no cascade)."""
        issues = [replace(one, expression=path + one.expression) for one in plan.objections]
        seen: dict[tuple[object, ...], tuple[str, int]] = {}
        sources = 0
        for key, below in broken:
            sources += 1
            for one in self.profiles.told(below, key, resource, path, rebound=context.rebound):
                by, place = seen.setdefault(fault(one), (key, len(issues)))
                if key in plan.reported and one.blocks:
                    one = replace(one, severity="warning")
                if by == key:
                    issues.append(one)
                elif one.code in CODE_FAULTS and one.blocks:
                    issues[place] = one  # the profile's value set is the one to choose from
        if len(issues) > 1:
            issues = without_consequences(issues)
        if sources > 1 or (sources and plan.objections):
            issues.sort(key=lambda one: place_of(one.expression[len(path) :], resource))
        return issues

    def _verdict(self) -> Verdict:
        entries = self.parsed.entries
        refused = {number for number, found in self.of_entry.items() if any(one.blocks for one in found)}
        unread = {one.index for one in entries if not one.type or (one.resource is None and not one.method)}
        for number in sorted(unread - refused):
            self.of_entry[number].append(issue("entry-resource-missing", f"Bundle.entry[{number}]"))
        refused |= unread
        accepted = tuple(one.index for one in entries if one.index not in refused)
        nothing_left = bool(entries) and not accepted
        fails = any(one.blocks for one in self.of_bundle) or (
            bool(refused) if self.parsed.all_or_nothing else nothing_left
        )
        of_bundle, of_entry = capped(self.of_bundle, self.of_entry, batch=not self.parsed.all_or_nothing)
        return Verdict(of_bundle, of_entry, None if fails else ValidBundle(self.parsed, accepted))
