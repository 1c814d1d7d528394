"""The contract of one hospital, as scrubbing and tables see it: facts agreed with it, no secret, no identity.

`gateway/contracts.py` reads it from `hospitals.toml`; every field is documented in `docs/configuration.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FrenchProfiles = Literal["enforce", "report", "declared"]
LegalForm = Literal["public", "espic", "private"]
DpRule = Literal["quarantine", "longest-unit"]

POTENTIAL_IDENTIFIERS = ("care-dates", "birth-month", "death-date", "commune", "death-commune")
DEFAULT_POTENTIAL_IDENTIFIERS = frozenset({"care-dates", "birth-month", "death-date"})


@dataclass(frozen=True, slots=True)
class Unit:
    """One medical unit of the hospital's unit table: its site and its authorisation types."""

    finess_geo: str
    type1: str | None = None
    type2: str | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """What the platform agreed with one hospital (DESIGN §4, §6, §12).

    `finess` is the e-PMSI registration (9 characters). `potential_identifiers` are the switches that are on.
    `units` is keyed by the identifier value of the unit's Organization or Location. `severity_codes` are the codes
    of the Observations that hold the IGS II (no public guide has one).
    """

    finess: str
    name: str = ""
    legal_form: LegalForm = "public"
    french_profiles: FrenchProfiles = "enforce"
    test: bool = False
    potential_identifiers: frozenset[str] = DEFAULT_POTENTIAL_IDENTIFIERS
    dp_rule: DpRule = "quarantine"
    legal_basis: Literal["research", "public-mission"] = "research"
    code_systems: tuple[str, ...] = ()
    severity_codes: tuple[str, ...] = ()
    units: Mapping[str, Unit] = field(default_factory=dict)
