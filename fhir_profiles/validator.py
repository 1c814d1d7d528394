"""ParsedBundle → Verdict: bundle rules, R4 base, declared and French profiles, references, French business rules.

Reports every issue in document order (at most CAP), the same for the same bytes (Promise: P21). Never changes the
bundle, never reads the network. In a batch each entry is accepted or refused by itself; else all or nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from fhir_profiles.bundle_rules import COVERED, check_bundle, check_entries
from fhir_profiles.capping import capped, entry_number
from fhir_profiles.compiler import Profiles, load_profiles
from fhir_profiles.french.rules import french_issues
from fhir_profiles.issues import Issue, issue
from fhir_profiles.references import BundleIndex, check_references
from fhir_profiles.values import Entry, ParsedBundle, ValidBundle, Verdict

FrenchProfiles = Literal["enforce", "report", "declared"]
ABSTRACT = ("Resource", "DomainResource")


@dataclass(frozen=True, slots=True)
class Validator:
    """The loaded profiles and what may be asked of them. Made by `load_validator`; one a process."""

    profiles: Profiles

    @property
    def definitions_version(self) -> str:
        """Return the packages and their digest, as events carry it."""
        return "+".join(self.profiles.packages) + ":" + self.profiles.digest

    def validate(
        self, parsed: ParsedBundle, *, french_profiles: FrenchProfiles = "enforce", profiles: Sequence[str] = ()
    ) -> Verdict:
        """Check everything; `profiles` are canonicals that the caller asks for beyond those declared."""
        return _Run(self.profiles, parsed, french_profiles, tuple(profiles)).verdict()

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
        parsed = ParsedBundle("single", (entry,), resource, 0, b"")
        return self.validate(parsed, french_profiles=french_profiles, profiles=profiles).issues


def load_validator(definitions: Sequence[Path] = (), *, cache_dir: Path | None = None) -> Validator:
    """Load the packaged definitions and those of the operator. Raises Misconfigured."""
    return Validator(load_profiles(definitions, cache_dir=cache_dir))


@dataclass(frozen=True, slots=True)
class _Plan:
    """One profile to check a resource against, and whether its errors are only reported."""

    key: str
    reported: bool = False


class _Run:
    """One validation: the issues found so far, by entry."""

    def __init__(
        self, profiles: Profiles, parsed: ParsedBundle, french_profiles: FrenchProfiles, forced: tuple[str, ...]
    ) -> None:
        self.profiles = profiles
        self.parsed = parsed
        self.french_profiles = french_profiles
        self.index = BundleIndex(parsed)
        self.of_bundle: list[Issue] = []
        self.of_entry: dict[int, list[Issue]] = defaultdict(list)
        self.forced = list(self._forced(forced))

    def verdict(self) -> Verdict:
        self._bundle()
        for number, found in check_entries(self.parsed):
            self.of_entry[number].append(found)
        for entry in self.parsed.entries:
            if entry.resource is not None and entry.type:
                self._entry(entry, entry.resource)
        for number, found in check_references(self.parsed, self.index):
            if not any(one.code == "unknown-element" for one in self.of_entry[number]):
                self.of_entry[number].append(found)
        return self._verdict()

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

    def _bundle(self) -> None:
        """Check the Bundle itself; what concerns one entry goes to that entry."""
        if self.parsed.kind == "single":
            return
        self.of_bundle += check_bundle(self.parsed)
        root, found = self.parsed.root, list[Issue]()
        plans, unknown = self._plans("Bundle", root, "Bundle", french=False)
        for plan in plans:
            context = self.profiles.context(root, resolve=self.index.resolve, skip_entries=True)
            self.profiles.check(plan.key, root, "Bundle", found, context)
        for one in [*unknown, *found]:
            if one.rule in COVERED:
                continue
            number = entry_number(one.expression)
            (self.of_bundle if number is None else self.of_entry[number]).append(one)

    def _entry(self, entry: Entry, resource: dict[str, Any]) -> None:
        plans, unknown = self._plans(entry.type, resource, entry.path, french=True)
        mine = self.of_entry[entry.index]
        mine += unknown
        seen: dict[tuple[object, ...], str] = {}
        for plan in plans:
            found: list[Issue] = []
            context = self.profiles.context(resource, resolve=self.index.resolver(entry))
            self.profiles.check(plan.key, resource, entry.path, found, context)
            for one in found:
                key = (one.code, one.expression, one.rule, *sorted(one.params.items()))
                if seen.setdefault(key, plan.key) == plan.key:
                    mine.append(replace(one, severity="warning") if plan.reported and one.blocks else one)
        keys = frozenset(plan.key for plan in plans)
        mine += french_issues(entry.type, resource, entry.path, checked=keys)

    def _plans(
        self, kind: str, resource: dict[str, Any], path: str, *, french: bool
    ) -> tuple[list[_Plan], list[Issue]]:
        """Return the profiles to check, in order, and what is wrong with those that are declared."""
        profiles, unknown = self.profiles, list[Issue]()
        keys: dict[str, bool] = {}
        base = profiles.base(kind)
        if base is not None:
            keys[base] = False
        for place, canonical in declared_profiles(resource):
            key = profiles.resolve(canonical)
            if key is None:
                unknown.append(self._unknown(canonical, f"{path}.{place}"))
            elif (wanted := profiles.type_of(key)) not in (kind, *ABSTRACT):
                unknown.append(replace(issue("profile-type-mismatch", f"{path}.{place}", expected=wanted), profile=key))
            else:
                keys.setdefault(key, False)
        for key in self.forced:
            if profiles.type_of(key) in (kind, *ABSTRACT):
                keys.setdefault(key, False)
        if french and self.french_profiles != "declared":
            default = self._french(kind, resource, declared=keys)
            if default is not None:
                keys.setdefault(default, self.french_profiles == "report")
        return [_Plan(key, reported) for key, reported in keys.items()], unknown

    def _unknown(self, canonical: str, place: str) -> Issue:
        url, bar, _version = canonical.partition("|")
        loaded = self.profiles.resolve(url) if bar else None
        if loaded is None:
            found = issue("profile-unknown", place)
        else:
            found = issue("profile-version-unknown", place, loaded=loaded.partition("|")[2])
        return replace(found, quote=canonical if len(canonical) <= 64 else None)

    def _french(self, kind: str, resource: dict[str, Any], *, declared: Iterable[str]) -> str | None:
        """Return the FR Core profile by default, of the version that the resource itself declares where it does."""
        key = self.profiles.french(kind, resource)
        if key is None:
            return None
        url = key.partition("|")[0]
        family = url.rpartition("/")[0]
        for other in declared:
            other_url, _bar, version = other.partition("|")
            if other_url.startswith(family) and (same := self.profiles.resolve(f"{url}|{version}")):
                return same
        return key

    def _verdict(self) -> Verdict:
        batch = not self.parsed.all_or_nothing
        refused = {number for number, found in self.of_entry.items() if any(one.blocks for one in found)}
        unread = {
            entry.index for entry in self.parsed.entries if not entry.type or not (entry.resource or entry.method)
        }
        for number in unread - refused:
            self.of_entry[number].append(issue("entry-resource-missing", f"Bundle.entry[{number}]"))
        refused |= unread
        accepted = tuple(entry.index for entry in self.parsed.entries if entry.index not in refused)
        fails = any(one.blocks for one in self.of_bundle) or (
            not accepted and bool(self.parsed.entries) if batch else bool(refused)
        )
        of_bundle, of_entry = capped(self.of_bundle, self.of_entry, batch=batch)
        return Verdict(of_bundle, of_entry, None if fails else ValidBundle(self.parsed, accepted))


def declared_profiles(resource: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield place and text of `meta.profile`."""
    meta = resource.get("meta")
    declared = meta.get("profile") if isinstance(meta, dict) else None
    for number, canonical in enumerate(declared if isinstance(declared, list) else ()):
        if isinstance(canonical, str):
            yield f"meta.profile[{number}]", canonical
