"""Leaf actions of the rules: (value, scene) → what leaves, or None. A value of another type or shape never leaves."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from transformers.deidentify.codings import LOCAL, is_misplaced
from transformers.deidentify.scene import Scene

Action = Callable[[Any, Scene], Any]

DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?", re.ASCII)
INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2})(?::[0-9]{2}(?:\.[0-9]{1,30})?)?(Z|[+-][0-9]{2}:[0-9]{2})?",
    re.ASCII,
)
# Digits as zeros: the forms of INSTANT and of DATE, with the length of the offset at their end. Three times faster.
ZEROS = bytes(0x30 if 0x30 <= byte <= 0x39 else byte for byte in range(256))
INSTANTS = {
    f"0000-00-00T00:00{second}{offset}".encode(): len(offset)
    for second in ("", ":00", *(f":00.{'0' * digits}" for digits in range(1, 31)))
    for offset in ("", "Z", "+00:00", "-00:00")
}
DATES = frozenset({b"0000", b"0000-00", b"0000-00-00"})
LONGEST_COUNTER = 18
DIGITS = re.compile(r"[0-9]{1,6}", re.ASCII)
MODE = re.compile(r"[0-9NO](?:[ ,;/-]?[1-8RUV])?(?![0-9A-Za-z])", re.ASCII)
USUAL = len("2024-03-01T08:15:42+01:00")
HUGE = 10**13
fromisoformat = datetime.fromisoformat


def boolean(value: object, scene: Scene) -> bool | None:  # noqa: ARG001 — every action has this signature
    """Keep true and false."""
    return value if value is True or value is False else None


def number(value: object, scene: Scene) -> int | float | None:  # noqa: ARG001
    """Keep a number; no measure has fourteen digits, but numbers of persons have."""
    if type(value) is float or type(value) is int:
        return value if -HUGE < value < HUGE else None
    return None


def one_of(codes: frozenset[str]) -> Action:
    """Keep a code of a closed list."""
    own = {code: code for code in codes}
    get = own.get

    def closed(value: object, scene: Scene) -> str | None:  # noqa: ARG001
        return get(value) if type(value) is str else None

    return closed


def minute(value: object, scene: Scene) -> str | None:  # noqa: ARG001
    """Keep a date; cut an instant to the minute, with its offset."""
    if type(value) is not str:
        return None
    if len(value) == USUAL and value[19] in "+-" and value[10] == "T" and value[4] == "-":
        try:
            fromisoformat(value)  # three times faster than the pattern
        except ValueError:
            return None
        return f"{value[:16]}:00{value[19:]}"
    form = value.encode().translate(ZEROS)
    offset = INSTANTS.get(form)
    if offset is not None:
        return f"{value[:16]}:00{value[len(value) - offset :]}"
    return value if form in DATES else None


def day(value: object, scene: Scene) -> str | None:  # noqa: ARG001
    """Cut a date or instant to the day."""
    if type(value) is not str:
        return None
    form = value.encode().translate(ZEROS)
    return value[:10] if form in DATES or form in INSTANTS else None


def month(value: object, scene: Scene) -> str | None:  # noqa: ARG001
    """Cut a date to year and month."""
    return value[:7] if type(value) is str and value.encode().translate(ZEROS) in DATES else None


def stamp(value: object, scene: Scene) -> str | None:  # noqa: ARG001
    """Keep an instant whole."""
    return value if type(value) is str and value.encode().translate(ZEROS) in INSTANTS else None


def counter(value: object, scene: Scene) -> str | None:  # noqa: ARG001
    """Keep a version number."""
    return (
        value if type(value) is str and value.isdigit() and value.isascii() and len(value) <= LONGEST_COUNTER else None
    )


def digits(value: object, scene: Scene) -> str | None:  # noqa: ARG001
    """Keep a string of at most six digits."""
    return value if type(value) is str and DIGITS.fullmatch(value) else None


def mode(value: object, scene: Scene) -> str | None:  # noqa: ARG001
    """Cut a PMSI entry or exit mode to its leading code: `8 Domicile` → `8`, `8 5` → `8 5`, `85` → `85`."""
    if type(value) is not str:
        return None
    found = MODE.match(value.strip())
    return found[0] if found else None


def code(value: object, scene: Scene) -> Any:  # noqa: ANN401
    """Reduce a Coding."""
    if type(value) is not dict:
        return None
    get = value.get
    return scene.coding(get("system"), get("version"), get("code"))


def concept(value: object, scene: Scene) -> dict[str, Any] | None:
    """Reduce a CodeableConcept to its codings. What it gives may be shared: nobody changes it."""
    if type(value) is not dict or "coding" not in value:
        return None
    listed = value["coding"]
    if type(listed) is not list:
        return None
    if len(listed) == 1 and type(listed[0]) is dict:
        get = listed[0].get
        try:
            return scene.known_concepts[get("system"), get("version"), get("code")]
        except (KeyError, TypeError):
            pass  # not known yet, or a list or an object where a text should be
    kept, known = [], scene.known_codings
    for one in listed:
        if type(one) is dict:
            get = one.get
            named = get("system"), get("version"), get("code")
            try:
                made = known.get(named)
            except TypeError:
                made = None
            if made is None:
                made = scene.coding(*named)
            if made is not None:
                kept.append(made)
    return {"coding": kept} if kept else None


def expected_concept(right: Callable[[str], object]) -> Action:
    """Reduce a CodeableConcept where the tables look for codes of one form: these stay under another system too."""

    def reduced(value: object, scene: Scene) -> dict[str, Any] | None:
        made = concept(value, scene)
        if made is None or all(one["system"] != LOCAL for one in made["coding"]):
            return made
        kept: list[dict[str, str]] = made["coding"]
        sent = [one for one in value["coding"] if type(one) is dict and type(one.get("code")) is str]  # type: ignore[index]
        for place, one in enumerate(sent):
            if kept[place]["system"] == LOCAL and is_misplaced(one, right):
                kept[place] = {"code": one["code"]}
                scene.flags.add("code-system")
        return made

    return reduced


def quantity(comparators: frozenset[str], units: frozenset[str]) -> Action:
    """Return the action of Quantity and its kin: value, comparator, and a coded unit or a usual printed one."""

    def reduced(value: object, scene: Scene) -> dict[str, Any] | None:
        if type(value) is not dict:
            return None
        get = value.get
        amount = get("value")
        made: dict[str, Any] = {}
        if (type(amount) is float or type(amount) is int) and -HUGE < amount < HUGE:
            made["value"] = amount
        if "comparator" in value:
            comparator = value["comparator"]
            if type(comparator) is str and comparator in comparators:
                made["comparator"] = comparator
        if "code" in value:
            named = get("system"), get("version"), value["code"]
            try:
                unit = scene.known_codings.get(named)
            except TypeError:
                unit = None
            if unit is None:
                unit = scene.coding(*named)
            if unit is not None:
                made["system"] = unit["system"]
                made["code"] = unit["code"]
        else:
            printed = get("unit")
            if type(printed) is str and printed in units:
                made["code"] = printed
        return made or None

    return reduced


def reference(expected: str | None) -> Action:
    """Replace a Reference by a keyed hash; `expected` is the type when the reference does not say it."""

    def refer(value: object, scene: Scene) -> dict[str, Any] | None:
        if type(value) is not dict:
            return None
        text = value.get("reference")
        made = scene.references.get(text) if type(text) is str else None
        return made if made is not None else scene.refer(value, expected)

    return refer


def parent(value: object, scene: Scene) -> dict[str, Any] | None:
    """Replace `Encounter.partOf`."""
    return scene.refer_parent(value) if type(value) is dict else None


def expected_type(targets: tuple[str, ...]) -> str | None:
    """Return the type of a reference by identifier alone, from what the element may name."""
    for name in ("Patient", "Encounter"):
        if name in targets:
            return name
    if len(targets) == 1:
        return targets[0]
    return "Organization" if "Organization" in targets else None
