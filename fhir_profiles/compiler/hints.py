"""Elements of R5 and STU3 that R4 has not: what R4 calls them. Data: definitions/hints.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Hint:
    """The version that has the element, and what to send instead in R4."""

    version: str
    instead: str


@cache
def hints() -> Mapping[str, Mapping[str, Hint]]:
    """Return the hints by type path and element name."""
    text = (files("fhir_profiles") / "definitions" / "hints.toml").read_text(encoding="utf-8")
    return {
        owner: {name: Hint(str(pair[0]), str(pair[1])) for name, pair in names.items()}
        for owner, names in tomllib.loads(text).items()
    }


def hint_for(owner: str, name: str) -> Hint | None:
    """Return the hint for an unknown element of a type path (`MedicationAdministration`, `Coding`)."""
    return hints().get(owner, {}).get(name)
