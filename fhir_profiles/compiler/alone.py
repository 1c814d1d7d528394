"""The plan of a child element → may what passed its check be remembered? Only when the value alone decides.

Pure. What looks around (constraints, references, other profiles, today's date) is asked anew each time.
"""

from __future__ import annotations

from collections.abc import Iterator

from fhir_profiles.compiler.bindings import checks_of
from fhir_profiles.compiler.memory import CONCEPTS
from fhir_profiles.compiler.slicing import Test
from fhir_profiles.compiler.works import Child, Piece, Pieces, Work


def memorable(child: Child) -> tuple[str, ...] | None:
    """Return the value sets that the check of a coded child looks into; None when it depends on more than its value."""
    if child.element.is_choice or child.keys[0].code not in CONCEPTS:
        return None
    works, tests = list(_works(child)), list(_tests(child))
    if not works and not tests:
        return None
    if any(_looks_around(one) for one in works) or any(_follows(one) for one in tests):
        return None
    found = [f"{work.scope} {one}" for work in works if work.binding for one, _severity in checks_of(work.binding)]
    return tuple(dict.fromkeys(found + [one for test in tests if test.kind == "member" for one in test.value]))


def _looks_around(work: Work) -> bool:
    rules = work.constraints or work.profiles or work.targets or work.target_profiles or work.resource_types
    return bool(rules) or work.least is not None or work.most is not None


def _follows(test: Test) -> bool:
    return test.kind in ("profile", "type") or any(type(step) is tuple and step[0] == "resolve" for step in test.steps)


def _works(child: Child) -> Iterator[Work]:
    direct = [work for key in child.keys for work in key.works]
    for work in (*direct, *(piece.work for piece in _slices(child.pieces) if piece.work is not None)):
        yield work
        for below in work.children:
            yield from _works(below)


def _tests(child: Child) -> Iterator[Test]:
    for piece in _slices(child.pieces):
        yield from piece.tests
        for others in piece.unless:
            yield from others
    for work in _works(child):
        for below in work.children:
            yield from _tests(below)


def _slices(pieces: Pieces | None) -> Iterator[Piece]:
    for piece in pieces.listed if pieces is not None else ():
        yield piece
        yield from _slices(piece.pieces)
