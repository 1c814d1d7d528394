"""Known defects of published guides (definitions/defects.toml): the rules of theirs that are ignored or softened.

Data with a reason and a link each. Promise: nothing is ignored that the file does not list.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from fhir_profiles.model import Binding, Constraint, Element


@dataclass(frozen=True, slots=True)
class Defect:
    """One rule of one guide: which, why, since when it is known, and what is done about it."""

    profile: str
    versions: tuple[str, ...]
    element: str
    fact: str
    effect: str
    reason: str
    reason_fr: str
    link: str

    def concerns(self, url: str, version: str) -> bool:
        """Say whether a profile has this defect."""
        return url == self.profile and (not self.versions or version in self.versions)


@cache
def known_defects() -> tuple[Defect, ...]:
    """Return every listed defect."""
    text = (files("fhir_profiles") / "definitions" / "defects.toml").read_text(encoding="utf-8")
    return tuple(_defect(one) for one in tomllib.loads(text)["defect"])


def _defect(raw: Mapping[str, object]) -> Defect:
    versions = raw.get("versions", [])
    return Defect(
        profile=str(raw["profile"]),
        versions=tuple(str(one) for one in versions) if isinstance(versions, list) else (),
        element=str(raw["element"]),
        fact=str(raw["fact"]),
        effect=str(raw["effect"]),
        reason=str(raw["reason"]),
        reason_fr=str(raw["reason_fr"]),
        link=str(raw["link"]),
    )


@dataclass(frozen=True, slots=True)
class Defects:
    """The defects of one profile."""

    listed: tuple[Defect, ...]

    def ignored(self, element: Element, fact: str) -> bool:
        """Say whether a fact of an element (fixed, pattern, binding, min, max, a constraint's key) is not a rule."""
        return any(one.effect == "ignore" and one.element == element.id and one.fact == fact for one in self.listed)

    def ignores(self, fact: str) -> bool:
        """Say whether a fact of the whole definition (context) is not a rule."""
        return any(one.effect == "ignore" and one.fact == fact for one in self.listed)

    def weakened(self, constraint: Constraint, element: Element) -> Constraint:
        """Return a constraint, as a warning where breaking it must not refuse anything."""
        if any(
            one.effect == "warning" and one.element == element.id and one.fact == constraint.key for one in self.listed
        ):
            return replace(constraint, severity="warning")
        return constraint

    def softened(self, element: Element) -> Binding | None:
        """Return the binding of an element, extensible where it should never have been required."""
        binding = element.binding
        if binding is not None and any(
            one.effect == "warning" and one.element == element.id and one.fact == "binding" for one in self.listed
        ):
            return replace(binding, strength="extensible")
        return binding


def defects_of(url: str, version: str) -> Defects:
    """Return the defects of a profile."""
    return Defects(tuple(one for one in known_defects() if one.concerns(url, version)))
