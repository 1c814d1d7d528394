"""A resource → the profiles to check it against, in order (DESIGN §3, "Which profile").

R4 base always; each known `meta.profile`; what added guides demand of the type; those the caller asks for; the FR Core
profile by the hospital's contract. Resources that declare the same share one plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from fhir_profiles.compiler import Profiles
from fhir_profiles.compiler.context import Check, Surroundings, nothing_known
from fhir_profiles.issues import Issue, issue

FrenchProfiles = Literal["enforce", "report", "declared"]
ABSTRACT = ("Resource", "DomainResource")


@dataclass(frozen=True, slots=True)
class Plan:
    """`keys` in the order of the checks; errors of those in `reported` are warnings.

    `objections` are what is wrong with the declared profiles themselves, placed below the resource. `covered` are
    the keys and those that they derive from; `checks` and `surroundings` their functions and what these need to know.
    """

    keys: tuple[str, ...]
    reported: frozenset[str] = frozenset()
    objections: tuple[Issue, ...] = ()
    covered: tuple[str, ...] = ()
    checks: tuple[tuple[str, Check], ...] = ()
    surroundings: Surroundings = ("", frozenset(), nothing_known)


Key = tuple[str, tuple[str, ...], str | None, FrenchProfiles, tuple[str, ...]]
Kept = dict[Key, Plan]
KEPT_MAXIMUM = 4096


class Planner:
    """Makes the plans of one request and keeps them until it ends; those of loaded profiles are `kept` for the next."""

    def __init__(
        self,
        profiles: Profiles,
        french_profiles: FrenchProfiles,
        forced: Sequence[str] = (),
        *,
        kept: Kept | None = None,
    ) -> None:
        self._profiles = profiles
        self._french_profiles: FrenchProfiles = french_profiles
        self._forced = tuple(forced)
        self._plans: dict[tuple[str, tuple[str, ...], str | None], Plan] = {}
        self._kept = {} if kept is None else kept

    def plan(self, kind: str, resource: dict[str, Any]) -> Plan:
        """Return the plan of a resource of this type."""
        declared = declared_profiles(resource)
        french = None if self._french_profiles == "declared" else self._profiles.french(kind, resource)
        asked = (kind, declared, french)
        plan = self._plans.get(asked)
        if plan is None:
            key = (*asked, self._french_profiles, self._forced)
            plan = self._kept.get(key)
            if plan is None:
                plan = self._make(kind, declared, french=french)
                if not plan.objections and len(self._kept) < KEPT_MAXIMUM:
                    self._kept[key] = plan  # of loaded profiles alone: nothing that a sender made up
            self._plans[asked] = plan
        return plan

    def _make(self, kind: str, declared: tuple[str, ...], *, french: str | None) -> Plan:
        profiles, objections = self._profiles, list[Issue]()
        base = profiles.base(kind)
        keys = [base] if base is not None else []
        for number, canonical in enumerate(declared):
            place = f".meta.profile[{number}]"
            key = profiles.resolve(canonical)
            if key is None:
                if canonical:  # what is no string is a fault of the base definition
                    objections.append(self._unknown(canonical, place))
            elif (wanted := profiles.type_of(key)) not in (kind, *ABSTRACT):
                objections.append(replace(issue("profile-type-mismatch", place, expected=wanted), profile=key))
            else:
                keys.append(key)
        keys += profiles.demanded(kind)
        keys += [key for key in self._forced if profiles.type_of(key) in (kind, *ABSTRACT)]
        reported: frozenset[str] = frozenset()
        if french is not None and (default := self._of_same_version(french, keys)) not in keys:
            keys.append(default)
            reported = frozenset({default}) if self._french_profiles == "report" else reported
        distinct = tuple(dict.fromkeys(keys))
        return Plan(
            distinct,
            reported,
            tuple(objections),
            profiles.covered(distinct),
            profiles.checks(distinct),
            profiles.surroundings(distinct),
        )

    def _unknown(self, canonical: str, place: str) -> Issue:
        url, bar, _version = canonical.partition("|")
        loaded = self._profiles.resolve(url) if bar else None
        if loaded is None:
            found = issue("profile-unknown", place)
        else:
            found = issue("profile-version-unknown", place, loaded=loaded.partition("|")[2])
        return replace(found, quote=canonical if len(canonical) <= 64 else None)

    def _of_same_version(self, french: str, keys: Iterable[str]) -> str:
        """Return the FR Core profile in the version of FR Core that the resource itself declares, where it does."""
        url = french.partition("|")[0]
        family = url.rpartition("/")[0] + "/"
        for key in keys:
            if key.startswith(family) and (same := self._profiles.resolve(f"{url}|{key.partition('|')[2]}")):
                return same
        return french


def declared_profiles(resource: dict[str, Any]) -> tuple[str, ...]:
    """Return `meta.profile`, an empty text in the place of what is no string."""
    meta = resource.get("meta")
    declared = meta.get("profile") if isinstance(meta, dict) else None
    if not isinstance(declared, list):
        return ()
    if len(declared) == 1 and isinstance(declared[0], str):
        return (declared[0],)
    return tuple(one if isinstance(one, str) else "" for one in declared)
