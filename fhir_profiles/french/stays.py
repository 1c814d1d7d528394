"""Stays → warnings: visit number, end, periods of the units, PMSI codes of the modes of entry and exit.

The codes are those of the ATIH (one or two characters, mode and provenance or destination), known by their system; of
other code systems nothing is asked. Quotes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fhir_profiles.french.identifiers import BY_CODE, type_codes
from fhir_profiles.issues import Issue, issue

Json = Mapping[str, Any]
PMSI = re.compile(r"pmsi|arkhn|atih", re.IGNORECASE)
_CODE = re.compile(r"([06789NO])([1-7RUV]?)", re.ASCII)
_TRANSFER, _HOME = frozenset("067"), "8"
_OF_TRANSFER, _OF_HOME = frozenset("12346R"), frozenset("567UV")
_ENDS = (("admitSource", frozenset("0678NO")), ("dischargeDisposition", frozenset("06789")))


def stay_issues(encounter: Json, path: str) -> Iterator[Issue]:
    """Judge an Encounter."""
    period = encounter.get("period")
    if encounter.get("status") == "finished" and not (isinstance(period, dict) and "end" in period):
        yield issue("stay-without-end", path)
    listed = encounter.get("identifier")
    identifiers = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if identifiers and not any(code in BY_CODE for one in identifiers for code in type_codes(one)):
        yield issue("visit-type-missing", f"{path}.identifier[0]")
    if isinstance(period, dict):
        yield from _units(encounter, period, path)
    hospitalization = encounter.get("hospitalization")
    if isinstance(hospitalization, dict):
        yield from _modes(hospitalization, f"{path}.hospitalization")


def _units(encounter: Json, period: Json, path: str) -> Iterator[Issue]:
    """Compare the days of the units with those of the stay: a passage begins and ends in its stay."""
    listed = encounter.get("location")
    for number, location in enumerate(listed if isinstance(listed, list) else ()):
        inner = location.get("period") if isinstance(location, dict) else None
        if isinstance(inner, dict) and (
            _before(inner.get("start"), period.get("start")) or _before(period.get("end"), inner.get("end"))
        ):
            yield issue("stay-unit-outside", f"{path}.location[{number}].period")


def _before(one: object, other: object) -> bool:
    """Say whether a moment is of an earlier day than another, to the precision that both have."""
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    size = min(len(one), len(other), len("2024-01-01"))
    return one[:size] < other[:size]


def _modes(hospitalization: Json, path: str) -> Iterator[Issue]:
    modes: dict[str, str] = {}
    for name, allowed in _ENDS:
        concept = hospitalization.get(name)
        codings = concept.get("coding") if isinstance(concept, dict) else None
        for number, coding in enumerate(codings if isinstance(codings, list) else ()):
            found = _pmsi(coding)
            if found is None:
                continue
            modes[name] = found[0]
            if found[0] not in allowed or not _is_pair(*found):
                yield issue("pmsi-mode-pair", f"{path}.{name}.coding[{number}].code")
    if len(modes) == len(_ENDS) and "0" in modes.values() and set(modes.values()) != {"0"}:
        yield issue("pmsi-service-pair", path)


def _pmsi(coding: object) -> tuple[str, str] | None:
    """Return mode and place of a code of the PMSI."""
    if not isinstance(coding, dict) or not isinstance(coding.get("code"), str):
        return None
    system, found = coding.get("system"), _CODE.fullmatch(coding["code"])
    if found is None or not isinstance(system, str) or PMSI.search(system) is None:
        return None
    return found[1], found[2]


def _is_pair(mode: str, place: str) -> bool:
    """Say whether a place may stand with a mode; a transfer alone waits for its place (another coding may tell)."""
    if not place:
        return True
    return place in (_OF_TRANSFER if mode in _TRANSFER else _OF_HOME if mode == _HOME else ())
