"""Planned stays → what the tables must say of them: counts to compare with, in the manifest. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any

from gateway.synthetic.plan import Stay

SESSIONS = frozenset({"dialysis", "chemotherapy"})
NO_STAY = frozenset({"open", "cancelled", "visit"})
MEASURES = ("stays", "sessions", "nights", "units", "deaths", "births", "emergency_admissions")


class Truth:
    """Counts the stays that give rows: as a whole, by month of exit, by diagnosis and by act."""

    def __init__(self) -> None:
        self._all: Counter[str] = Counter()
        self._months: dict[str, Counter[str]] = {}
        self._principal: Counter[str] = Counter()
        self._associated: Counter[str] = Counter()
        self._acts: Counter[str] = Counter()

    def add(self, stay: Stay) -> None:
        """Count one stay; an open or cancelled one and a visit count for nothing."""
        if stay.kind in NO_STAY or stay.end is None:
            return
        counted = _measures(stay)
        self._all.update(counted)
        self._months.setdefault(f"{stay.end:%Y-%m}", Counter()).update(counted)
        self._principal[stay.pathway.principal] += 1
        self._associated.update(set(stay.associated) - {stay.pathway.principal})
        # an act under anaesthesia is two: that of the operator and that of the anaesthetist
        self._acts.update(code.rstrip("+") for code in stay.pathway.acts for _ in range(1 + code.endswith("+")))

    def to_json(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            **{name: self._all[name] for name in MEASURES},
            "months": {
                month: {name: counted[name] for name in MEASURES} for month, counted in sorted(self._months.items())
            },
            "principal_diagnoses": dict(sorted(self._principal.items())),
            "associated_diagnoses": dict(sorted(self._associated.items())),
            "acts": dict(sorted(self._acts.items())),
        }


def _measures(stay: Stay) -> dict[str, int]:
    assert stay.end is not None
    session = stay.kind in SESSIONS
    died = stay.person.deceased is not None and stay.person.deceased.date() == stay.end.date()
    return {
        "stays": 1,
        "sessions": int(session),
        "nights": 0 if session else (stay.end.date() - stay.start.date()).days,
        "units": len(stay.units),
        "deaths": int(died),
        "births": int(stay.kind == "newborn"),
        "emergency_admissions": int(stay.emergency is not None or stay.admitted_from == "emd"),
    }
