"""Issues found → issues listed: at most CAP, errors before warnings, still in document order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from fhir_profiles.issues import CAP, Issue, issue

_ENTRY = re.compile(r"Bundle\.entry\[([0-9]+)\]")
BATCH_CAP = 10 * CAP

Listed = tuple[Issue, ...]


def entry_number(expression: str) -> int | None:
    """Return the entry that an expression lies in."""
    found = _ENTRY.match(expression)
    return int(found[1]) if found else None


def capped(
    of_bundle: Sequence[Issue], of_entry: Mapping[int, Sequence[Issue]], *, batch: bool
) -> tuple[Listed, dict[int, Listed]]:
    """Return what is listed of the bundle and of each entry.

    The entries of a batch are answered one by one, so each has its own cap, and all together ten times as much;
    past that a refused entry still says one error.
    """
    full = {number: tuple(found) for number, found in sorted(of_entry.items()) if found}
    if batch:
        return _batch(tuple(of_bundle), full)
    if len(of_bundle) + sum(map(len, full.values())) <= CAP:
        return tuple(of_bundle), full
    every = [*of_bundle, *(one for found in full.values() for one in found)]
    kept = {id(one) for one in _most_severe(every, CAP)}
    listed = {number: tuple(one for one in found if id(one) in kept) for number, found in full.items()}
    head = tuple(one for one in of_bundle if id(one) in kept)
    return (*head, _cap_issue("", CAP)), {number: found for number, found in listed.items() if found}


def _batch(of_bundle: Listed, full: Mapping[int, Listed]) -> tuple[Listed, dict[int, Listed]]:
    listed: dict[int, Listed] = {}
    left = BATCH_CAP
    for number, found in full.items():
        room = max(1, min(CAP, left))
        kept = _most_severe(found, room)
        left -= len(kept)
        if len(kept) < len(found):
            kept = (*kept, _cap_issue(f"Bundle.entry[{number}]", room))
        listed[number] = kept
    if len(of_bundle) <= CAP:
        return of_bundle, listed
    return (*_most_severe(of_bundle, CAP), _cap_issue("", CAP)), listed


def _most_severe(found: Sequence[Issue], room: int) -> Listed:
    """Return the first errors, then as many others as there is room for, in their order."""
    if len(found) <= room:
        return tuple(found)
    ranked = sorted(range(len(found)), key=lambda place: (not found[place].blocks, place))
    return tuple(found[place] for place in sorted(ranked[:room]))


def _cap_issue(expression: str, cap: int) -> Issue:
    return issue("issues-capped", expression, cap=str(cap))
