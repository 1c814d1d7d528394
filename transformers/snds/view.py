"""What the table writer hands to the pure conversion, and what it gets back.

The unit of work is one person of one hospital: every current resource of the person goes in, every row of the
person's stays and clinical events comes out. Stays, emergency visits before an admission, merged patients, a
late Coverage or a late death need no further case: the rows are computed anew from the latest versions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Row = tuple[Any, ...]
StayStatus = Literal["open", "written", "quarantined", "none"]


@dataclass(frozen=True, slots=True, repr=False)
class Staged:
    """The current version of one de-identified resource or fact.

    `key` is the local resource key (22 characters), `type` the FHIR type (`Basic` for facts), `resource` the
    de-identified JSON, `flags` the codes of `meta.tag` under `urn:snds-gateway:flag`.
    """

    key: str
    type: str
    resource: Mapping[str, Any]
    flags: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Staged(type={self.type})"


@dataclass(frozen=True, slots=True, repr=False)
class PersonView:
    """One person of one hospital: all aliases, all current resources, and the structures they refer to.

    `structures` holds Organization, Location, Medication, Specimen… of no person, by resource key.
    `resources` come sorted by key, so that the rows do not depend on the order of arrival.
    """

    finess: str
    aliases: frozenset[str]
    resources: tuple[Staged, ...]
    structures: Mapping[str, Staged] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"PersonView(resources={len(self.resources)})"


class TablePseudonyms(Protocol):
    """Level 2 of every identifier that a table holds (key K2, held by the table writer)."""

    def nir_ano_17(self, level1: str) -> str:
        """Return the 17 characters [0-9A-Z] of a level-1 `psa` or `ano`."""
        ...

    def ipp_ben_ano(self, local: str) -> str:
        """Return the 44 characters of a local IPP pseudonym."""
        ...

    def id_mam_enf(self, local: str) -> str:
        """Return the 32 hexadecimal characters of a mother-child link."""
        ...

    def technical(self, local: str) -> str:
        """Return the 22 characters of a resource key."""
        ...

    def rsa_num(self, stay_key: str) -> str:
        """Return the 10 digits that a stay starts from, before collisions are resolved."""
        ...

    def sej_num_offset(self, level1: str) -> int:
        """Return the secret day offset of a person (0..99999)."""
        ...


RsaNumbers = Callable[[str, int], str]
"""(stay key, exit year) → RSA_NUM, from the durable map."""


@dataclass(frozen=True, slots=True, repr=False)
class StayOutcome:
    """What became of one stay.

    `key` is the resource key of the root Encounter. `reason` is a code of `quarantine reasons` when quarantined.
    `status` "none" is a contact that gives no stay (an ambulatory visit, an emergency visit before an admission).
    `counts` are quality counters without a column of their own, by code.
    """

    key: str
    status: StayStatus
    exit_year: int | None = None
    rsa_num: str | None = None
    reason: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"StayOutcome(status={self.status}, reason={self.reason})"


@dataclass(frozen=True, slots=True, repr=False)
class PersonRows:
    """Every row of one person.

    `tables` maps physical table names (`T_MCO24B`, `IR_BEN_R`) to rows whose values stand in the official
    column order of that table. `T_MCOaaE` is not here: it is a function of the hospital and its exit dates.
    `exits` gives, for each written stay, its exit date as (year, month): what `T_MCOaaE` needs.
    """

    stays: tuple[StayOutcome, ...]
    tables: Mapping[str, tuple[Row, ...]]
    exits: tuple[tuple[int, int], ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"PersonRows(stays={len(self.stays)}, tables={len(self.tables)})"
