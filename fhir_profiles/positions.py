"""Bytes + FHIRPath expressions → line and column of each. One linear pass, made only when there are issues.

Reads JSON that `json_document.py` accepted. Never returns a value; a place that is not there falls back to the
nearest element above it. Lines and columns count from 1, columns in characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from fhir_profiles.issues import Issue

# One token: a string (with the colon that makes it a key), a bracket, or a bare literal. Possessive: linear.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"(?P<colon>[ \t\r\n]*+:)?|[\[\]{}]|[^\s,:"\[\]{}]++', re.DOTALL)
_STEP = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[x\])?(?:\[([0-9]+)\])?", re.ASCII)
_CHOICE = re.compile(r"\.([A-Za-z]+)\.ofType\(([A-Za-z]+)\)")

_INDEX = re.compile(r"\[[0-9]+\]")

CODED = ("CodeableConcept", "Coding", "Quantity", "Reference")

Step = str | int
Place = tuple[int, int]


@dataclass(slots=True)
class _Wanted:
    """One step of the wanted paths, and where it was met."""

    below: dict[Step, _Wanted] = field(default_factory=dict)
    offset: int | None = None


def locate(content: bytes, expressions: Iterable[str]) -> dict[str, Place]:
    """Return the line and column of each expression (`Bundle.entry[3].resource.gender`)."""
    top = _Wanted()
    paths = {expression: steps_of(expression) for expression in expressions}
    for steps in paths.values():
        node = top
        for step in steps:
            node = node.below.setdefault(step, _Wanted())
    _meet(content, top)
    offsets = {expression: _deepest(top, steps) for expression, steps in paths.items()}
    places = _places(content, offsets.values())
    return {expression: places[offset] for expression, offset in offsets.items()}


def with_positions(issues: Iterable[Issue], content: bytes) -> tuple[Issue, ...]:
    """Return the issues with line and column in the bytes that they were found in."""
    listed = tuple(issues)
    wanted = [one.expression for one in listed if one.expression and one.line is None]
    places = locate(content, wanted) if wanted else {}
    return tuple(
        replace(one, line=place[0], column=place[1])
        if one.line is None and (place := places.get(one.expression)) is not None
        else one
        for one in listed
    )


def steps_of(expression: str) -> tuple[Step, ...]:
    """Return the JSON keys and indices of an expression, without the type it starts with.

    `value.ofType(Quantity)` is the key `valueQuantity`.
    """
    plain = _CHOICE.sub(lambda found: f".{found[1]}{found[2][0].upper()}{found[2][1:]}", expression)
    steps: list[Step] = []
    for part in plain.split(".")[1:]:
        found = _STEP.fullmatch(part)
        if found is None:
            break
        steps.append(found[1])
        if found[2] is not None:
            steps.append(int(found[2]))
    return tuple(steps)


def choice_step(key: str) -> str:
    """Return the FHIRPath of a JSON key that may be a choice: `valueQuantity` is `value.ofType(Quantity)`.

    Only the types that hold codings are told apart; another key is its own step.
    """
    for kind in CODED:
        stem = key.removesuffix(kind)
        if stem != key and stem and stem[-1].islower():
            return f"{stem}.ofType({kind})"
    return key


def element_path(expression: str) -> str:
    """Return an expression as the definitions spell it: no index, `value[x]` for a choice."""
    spelled = _CHOICE.sub(r".\1[x]", expression) if ".ofType(" in expression else expression
    return _INDEX.sub("", spelled)


def first_duplicate(content: bytes) -> Place | None:
    """Return the place of the first key that its object already has."""
    seen: list[set[bytes]] = []
    for token, offset in _tokens(content):
        if token == b"{":
            seen.append(set())
        elif token == b"}":
            seen.pop()
        elif token.endswith(b":"):
            key = token[: token.rindex(b'"') + 1]
            if key in seen[-1]:
                return _places(content, [offset])[offset]
            seen[-1].add(key)
    return None


def _tokens(content: bytes) -> Iterator[tuple[bytes, int]]:
    for found in _TOKEN.finditer(content):
        yield found[0], found.start()


def _meet(content: bytes, top: _Wanted) -> None:
    """Walk the JSON once and note the offset of every wanted step that is there.

    `nodes` holds, for each open container, the wanted node that it stands for (None: nothing wanted in it), and
    `indices` the next index of an array (None: an object).
    """
    nodes: list[_Wanted | None] = []
    indices: list[int | None] = []
    node: _Wanted | None = top
    for token, offset in _tokens(content):
        if token.endswith(b":"):
            node = _member(nodes[-1], token)
            continue
        if token in (b"}", b"]"):
            nodes.pop()
            indices.pop()
            continue
        if indices and (index := indices[-1]) is not None:
            parent = nodes[-1]
            node = parent.below.get(index) if parent is not None else None
            indices[-1] = index + 1
        if node is not None and node.offset is None:
            node.offset = offset
        if token in (b"{", b"["):
            nodes.append(node)
            indices.append(None if token == b"{" else 0)


def _member(parent: _Wanted | None, token: bytes) -> _Wanted | None:
    """Return the wanted node of a key; `_birthDate` stands for `birthDate` too."""
    if parent is None or not parent.below:
        return None
    key = token[1 : token.rindex(b'"')].decode("utf-8", "replace")
    found = parent.below.get(key)
    return found if found is not None else parent.below.get(key.removeprefix("_"))


def _deepest(top: _Wanted, steps: tuple[Step, ...]) -> int:
    """Return the offset of the last step that is there."""
    node, offset = top, top.offset or 0
    for step in steps:
        node = node.below[step]
        if node.offset is None:
            break
        offset = node.offset
    return offset


def _places(content: bytes, offsets: Iterable[int]) -> dict[int, Place]:
    """Return line and column of byte offsets, in one pass over the lines."""
    places: dict[int, Place] = {}
    line, start, last = 1, 0, 0
    for offset in sorted(set(offsets)):
        line += content.count(b"\n", last, offset)
        last = offset
        newline = content.rfind(b"\n", start, offset)
        if newline >= 0:
            start = newline + 1
        places[offset] = (line, len(content[start:offset].decode("utf-8", "replace")) + 1)
    return places
