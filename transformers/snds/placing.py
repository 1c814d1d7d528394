"""Where a clinical event belongs: what the stays of a person say to the clinical tables, and what these answer.

Pure data. `stays` decides, `clinical` writes; neither imports the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from transformers.snds.elements import Json
from transformers.snds.instants import Moment
from transformers.snds.view import Row


@dataclass(frozen=True, slots=True)
class Place:
    """The stay of an event, or no stay at all (`stay` None: the year is that of the event, `RSA_NUM` is NULL).

    `stay` is the key of the root Encounter, `joined` says that the event's own Encounter is an emergency visit that
    joined the admission: its dates are then never counted as outside the stay.
    """

    stay: str | None = None
    rsa_num: str | None = None
    exit_year: int | None = None
    entry: Moment | None = None
    exit: Moment | None = None
    joined: bool = False


NO_STAY = Place()

Placing = Callable[[Json], "Place | None"]
"""A clinical resource → its place; None when it must wait for its stay (open, unknown or in quarantine).

A function of the alias in its `encounter` or `context` alone: it is asked once an alias.
"""


@dataclass(frozen=True, slots=True, repr=False)
class ClinicalRows:
    """Rows by physical table, dates outside their stay by stay key (`FLG_DAT_HOR`), quality counters by code."""

    tables: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    outside: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"ClinicalRows({sum(map(len, self.tables.values()))} rows)"
