"""Right documents → documents that are harmed: bytes flipped, cut and spliced, JSON values replaced and nested.

Seeded: the same documents each time. Nothing is asked of the result; most of it is no FHIR, some of it no JSON.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import orjson

# What parsers and checks stumble over: numbers at their ends, text that looks like a path, a date, a reference, markup.
ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        2**53,
        -(2**63),
        1e308,
        0.1,
        "",
        " ",
        "\u0000",
        "\ud7ff",
        "é" * 300,
        "#",
        "#x",
        "/",
        "?",
    ),
    *(
        "Patient/",
        "Patient/1/_history/",
        "urn:uuid:",
        "urn:oid:1.",
        "http://",
        "|",
        "a|b|c",
        "0000-00-00",
        "2024-02-30",
    ),
    *(
        "2024-13",
        "T25:61",
        "2024-01-01T00:00:00+99:99",
        "1e5",
        "NaN",
        "<div>",
        "<div xmlns='x'><p>&amp;</div>",
        "<!DOCTYPE",
    ),
    *("%resource", "Bundle", "Patient", "resourceType", [], {}, [[]], [None], {"": None}, {"resourceType": "Patient"}),
    *({"reference": "#"}, {"extension": [{}]}, {"url": "x", "extension": []}, [{}, {}], {"coding": {}}),
)
TOKENS = (b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\u0000", b"\\ud800", b"\\", b"\x00", b"\xff", b"\xef\xbb\xbf")
TOKENS += (b"null", b"1e999", b"-", b"0", b"\xed\xa0\x80", b'"id":', b'"resourceType":"Bundle",', b"[[[[[[[[", b"NaN")

Place = tuple[Any, Any]


def documents(rights: Sequence[bytes], *, seed: int, start: int = 0) -> Iterator[bytes]:
    """Yield harmed documents without end; the one of a number depends on the seed and the number alone."""
    number = start
    while True:
        random = Random(f"{seed} {number}")
        right = random.choice(rights)
        yield harmed_bytes(right, random) if random.random() < 0.4 else harmed_json(right, random)
        number += 1


def harmed_bytes(right: bytes, random: Random) -> bytes:
    """Harm the text, one to four times."""
    content = bytearray(right)
    for _ in range(random.randint(1, 4)):
        at, size = random.randrange(len(content) + 1), random.choice((1, 2, 8, 64, 1024))
        way = random.randrange(5)
        if way == 0:
            content[at : at + size] = b""
        elif way == 1:
            content[at:at] = random.choice(TOKENS) * random.choice((1, 1, 1, 50))
        elif way == 2 and at < len(content):
            content[at] = random.randrange(256)
        elif way == 3:
            content[at:at] = content[random.randrange(len(content) + 1) :][:size]
        else:
            del content[at:]
    return bytes(content)


def harmed_json(right: bytes, random: Random) -> bytes:
    """Harm the values, each way once at most; what has become no resource is left so."""
    root = orjson.loads(right)
    for change in random.sample(CHANGES, random.randint(1, len(CHANGES))):
        places = list(_places(root))
        if not places:
            break
        change(places, random)
    return orjson.dumps(root)


def _places(node: Any) -> Iterator[Place]:
    if isinstance(node, dict | list):
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            yield node, key
            yield from _places(value)


def _replace(places: list[Place], random: Random) -> None:
    owner, key = random.choice(places)
    owner[key] = copy.deepcopy(random.choice(ODD))


def _move(places: list[Place], random: Random) -> None:
    (owner, key), (source, name) = random.choice(places), random.choice(places)
    owner[key] = copy.deepcopy(source[name])


def _remove(places: list[Place], random: Random) -> None:
    owner, key = random.choice(places)
    del owner[key]


def _rename(places: list[Place], random: Random) -> None:
    owner, key = random.choice(places)
    if isinstance(owner, dict):
        other = random.choice(places)[1]
        owner[random.choice((f"_{key}", str(other), f"{key}X", key.lower()))] = owner.pop(key)


def _wrap(places: list[Place], random: Random) -> None:
    owner, key = random.choice(places)
    for _ in range(random.choice((1, 1, 2, 35))):
        owner[key] = random.choice(([owner[key]], {"extension": [owner[key]]}, {"contained": [owner[key]]}))


def _repeat(places: list[Place], random: Random) -> None:
    owner, key = random.choice(places)
    owner[key] = [copy.deepcopy(owner[key]) for _ in range(random.choice((2, 3, 20)))]


CHANGES: tuple[Callable[[list[Place], Random], None], ...] = (_replace, _move, _remove, _rename, _wrap, _repeat)
