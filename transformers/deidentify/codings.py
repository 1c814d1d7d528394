"""Coding → system, version and code under a listed system, else a keyed hash of the code (rules.toml, [systems]).

A code that has not the shape of its system, or stands in no published list of it, is hashed like any other.
Displays and texts are never read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from transformers.deidentify.elements import Elements
from transformers.deidentify.rulebook import SHAPES, Systems

LOCAL = "urn:snds-gateway:local"
VERSION = re.compile(
    r"[0-9]{1,8}(?:[.-][0-9]{1,4}){0,3}|http://snomed\.info/sct/[0-9]{6,18}/version/[0-9]{8}", re.ASCII
)
AGREED = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/-]{0,31}", re.ASCII)
LONGEST = 64
REMEMBERED = 1 << 14

LocalCode = Callable[[str, str], str]
# Nomenclatures that are never ours, whatever their codes look like.
OTHERS = re.compile(r"icd/release/11|icd-?11|icd-?10-(?:cm|pcs)|icd-?9|icd-?o|snomed|loinc|orpha|icpc|whocc|nabm", re.I)

Test = Callable[[str], object]
Coding = dict[str, str]


class CodeBook:
    """The systems of the rules and of one contract; `kept` is a bounded memory of the codings that leave in clear.

    `concepts` are the same, each alone in a CodeableConcept.
    """

    __slots__ = ("_tests", "concepts", "kept")

    def __init__(self, systems: Systems, elements: Elements, agreed: tuple[str, ...] = ()) -> None:
        self._tests = _tests(systems, elements, agreed)
        self.kept: dict[tuple[Any, Any, Any], Coding] = {}
        self.concepts: dict[tuple[Any, Any, Any], dict[str, Any]] = {}

    def keeps(self, system: str, code: str) -> bool:
        """Say whether a code leaves in clear under a system."""
        test = self._tests.get(system)
        return test is not None and len(code) <= LONGEST and bool(test(code))

    def coding(self, system: object, version: object, code: object, local_code: LocalCode) -> Coding | None:
        """Return what a Coding becomes; None when it has no code."""
        if type(code) is not str:
            return None
        if type(system) is not str:
            return {"system": LOCAL, "code": local_code("", code)}
        if not self.keeps(system, code):
            return {"system": LOCAL, "code": local_code(system, code)}
        made = {"system": system, "code": code}
        if type(version) is not str:
            version = None
        elif VERSION.fullmatch(version):
            made["version"] = version
        if len(self.kept) < REMEMBERED:
            self.kept[system, version, code] = made
            self.concepts[system, version, code] = {"coding": [made]}
        return made


def is_misplaced(coding: Mapping[str, Any], right: Test) -> bool:
    """Say whether a code that was hashed has the right form, under a system that is no other nomenclature."""
    system, code = coding.get("system"), coding.get("code")
    if type(code) is not str or len(code) > LONGEST or not right(code):
        return False
    return type(system) is not str or OTHERS.search(system) is None


def names_code(observation: Mapping[str, Any], codes: frozenset[str]) -> bool:
    """Say whether an Observation, or a component of it, is about one of these codes, whatever the system."""
    try:
        if "component" not in observation:
            for coding in observation["code"]["coding"]:  # noqa: SIM110 — half the time of any()
                if coding["code"] in codes:
                    return True
            return False
    except (KeyError, TypeError):
        pass  # not of the usual form
    components = observation.get("component")
    for one in (observation, *(components if isinstance(components, list) else ())):
        concept = one.get("code") if isinstance(one, dict) else None
        codings = concept.get("coding") if isinstance(concept, dict) else None
        for coding in codings if isinstance(codings, list) else ():
            code = coding.get("code") if isinstance(coding, dict) else None
            if isinstance(code, str) and code in codes:
                return True
    return False


def _tests(systems: Systems, elements: Elements, agreed: tuple[str, ...]) -> dict[str, Test]:
    tests: dict[str, Test] = dict.fromkeys(agreed, AGREED.fullmatch)
    for url, codes in elements.published.items():
        if url.startswith(systems.publishers):
            tests[url] = codes.__contains__
    tests |= {url: SHAPES[shape] for url, shape in systems.shapes.items()}
    tests |= {url: codes.__contains__ for url, codes in systems.lists.items()}
    return {url: test for url, test in tests.items() if url not in systems.never}
