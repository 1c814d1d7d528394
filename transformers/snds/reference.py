"""The operator's reference data as the conversion sees it: all optional, absent means the documented fallback. Pure.

Loaded by `gateway` from files (`docs/tables.md` describes the formats); never from FHIR.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

Layouts = Mapping[tuple[str, str], tuple[tuple[int, int, str], ...]]
"""(`entry-mode`, `entry-place`, `exit-mode` or `exit-place`; code until 2022) → (first year, last year, code)."""


class Listed(NamedTuple):
    """A time during which a UCD is on the liste en sus; `content` and `unit` say what one UCD holds, where known."""

    since: date
    until: date | None = None
    content: float | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Reference:
    """What was loaded. `nomenclatures` maps `cim10` and `ccam` to their codes; `geographic_codes` maps an INSEE or
    postal code to the PMSI geographic code; `legal_entities` maps a geographic FINESS to its legal one; `natures` and
    `atc` map a presentation (CIP13 or UCD13) to PRS_NAT_REF and its ATC class; `expensive` is the dated liste en sus;
    `layouts` maps a mode or place to its codes by exit years, before the packaged `layout.tsv`.
    """

    nomenclatures: Mapping[str, frozenset[str]] = field(default_factory=dict)
    geographic_codes: Mapping[str, str] = field(default_factory=dict)
    legal_entities: Mapping[str, str] = field(default_factory=dict)
    natures: Mapping[str, int] = field(default_factory=dict)
    atc: Mapping[str, str] = field(default_factory=dict)
    expensive: Mapping[str, tuple[Listed, ...]] = field(default_factory=dict)
    layouts: Layouts = field(default_factory=dict)

    def check(self, name: str) -> Callable[[str], bool] | None:
        """Return the membership test of a nomenclature, None when it was not loaded."""
        loaded = self.nomenclatures.get(name)
        return loaded.__contains__ if loaded else None

    def __repr__(self) -> str:
        return f"Reference({', '.join(sorted(self.nomenclatures)) or 'no nomenclature'})"


NO_REFERENCE = Reference()
