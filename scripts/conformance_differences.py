"""Seeded mutations of French resources → the part of docs/conformance.md that sets us beside two other libraries."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from fhir_profiles.validator import Validator
from tests.support.differential import OTHERS, Judged, judge, mutations

PROJECT = Path(__file__).resolve().parents[1]
EXPLANATIONS = PROJECT / "tests" / "conformance" / "differences.toml"

Class = tuple[str, str, str]

HEAD = """## Beside two other libraries: mutations of French resources

Resources of the synthetic hospital, right for all three and with their FR Core profiles, are changed one fault at a
time by the definitions (`tests/support/differential.py`, seeded). Every class of difference has its explanation
(`tests/conformance/differences.toml`); a test fails on one without.
"""


def judged() -> list[Judged]:
    """Return every mutation with the three verdicts."""
    validator = Validator.load()
    return [judge(validator, way, resource) for way, resource in mutations()]


def explanations() -> Mapping[Class, str]:
    """Return why, by class."""
    raw = tomllib.loads(EXPLANATIONS.read_text(encoding="utf-8"))
    return {
        (other, side, name): why
        for other, sides in raw.items()
        for side, classes in sides.items()
        for name, why in classes.items()
    }


def classes(found: Sequence[Judged]) -> Counter[Class]:
    """Count the differences by class."""
    return Counter(one for each in found for one in each.differences())


def section(found: Sequence[Judged]) -> str:
    """Return the text."""
    lines = [HEAD, "| way | mutations | refused here | by fhir.resources | by fhirkit-rs |", "|---|---|---|---|---|"]
    for way in dict.fromkeys(one.way for one in found):
        lines.append(_way(way, [one for one in found if one.way == way]))
    lines += [_way("**all**", found), "", *_sides(found), ""]
    lines += ["| beside | refused by | class | mutations | why |", "|---|---|---|---|---|"]
    why = explanations()
    for (other, side, name), number in sorted(classes(found).items()):
        reason = why.get((other, side, name), "*not explained yet*")
        lines.append(f"| {other} | {'us' if side == 'ours' else 'it'} alone | `{name}` | {number} | {reason} |")
    return "\n".join(lines) + "\n"


def _way(way: str, found: Sequence[Judged]) -> str:
    theirs = [sum(one.others[other] is not None for one in found) for other in OTHERS]
    return f"| {way} | {len(found)} | {sum(bool(one.ours) for one in found)} | {theirs[0]} | {theirs[1]} |"


def _sides(found: Sequence[Judged]) -> list[str]:
    alone = {other: sum(one.others[other] is not None and not one.ours for one in found) for other in OTHERS}
    return [f"Refused by {other} and accepted here: {number}." for other, number in alone.items()]
