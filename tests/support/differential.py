"""Mutations of right French resources, made from the definitions, and three verdicts on each: ours, fhir.resources
(R4B), fhirkit-rs. Seeded: the same mutations each time.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any

import fhirkit
import orjson
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from fhir_profiles.fhirpath.types import PRIMITIVES, r4_types
from fhir_profiles.validator import Validator
from gateway.synthetic.bundles import workload

Json = dict[str, Any]
SEED, MUTATIONS = 20260301, 1500
OTHERS = ("fhir.resources", "fhirkit-rs")

# Per primitive type, texts that are not of it; the others have none that a JSON string could be.
WRONG: Mapping[str, tuple[Any, ...]] = MappingProxyType(
    {
        "boolean": ("true", 1),
        "integer": (1.5, "1", 2**40),
        "decimal": ("1.5", True),
        "positiveInt": (0, -1, "1"),
        "unsignedInt": (-1, 0.5),
        "date": ("2024-13-01", "01/03/2024", "2024-02-30", "2024-3-1"),
        "dateTime": ("2024-03-01T08:00:00", "2024-03-01 08:00", "2024-02-30", "hier"),
        "instant": ("2024-03-01", "2024-03-01T08:00:00", "2024-03-01T25:00:00Z"),
        "time": ("8:00", "25:00:00"),
        "id": ("a_b", "é", "x" * 65),
        "uri": ("a b", ""),
        "url": ("a b", ""),
        "canonical": ("a b", ""),
        "oid": ("1.2.3", "urn:oid:x"),
        "uuid": ("urn:uuid:x", "x"),
        "code": (" x", "a  b", ""),
        "base64Binary": ("%", "YQ="),
        "string": ("", "\u0007", 1),
        "markdown": ("", "\u0007", True),
        "xhtml": ("<div>x</div>", "<p/>", "x"),
    }
)


@dataclass(frozen=True, slots=True)
class Place:
    """A JSON value that the definitions know: its owner, key, type path, and whether the element repeats."""

    owner: Json
    key: str
    kind: str
    many: bool

    @property
    def value(self) -> Any:
        return self.owner[self.key]


@dataclass(frozen=True, slots=True)
class Judged:
    """A mutation: how it was made, of what type, our codes of errors, what each of the others says (None: right)."""

    way: str
    type: str
    ours: tuple[str, ...]
    others: Mapping[str, str | None]

    def differences(self) -> Iterator[tuple[str, str, str]]:
        """Yield (the other, who refuses alone, class)."""
        for other, said in self.others.items():
            if self.ours and said is None:
                yield from ((other, "ours", code) for code in self.ours)
            elif said is not None and not self.ours:
                yield other, "theirs", said


def originals() -> list[Json]:
    """Return right resources: the first three of each type and profile that the synthetic hospital sends."""
    found: dict[tuple[str, str], list[Json]] = {}
    for body in workload(SEED, 4):
        for entry in orjson.loads(body)["entry"]:
            resource = entry["resource"]
            profile = str(resource.get("meta", {}).get("profile"))
            found.setdefault((resource["resourceType"], profile), []).append(resource)
    return [one for _, listed in sorted(found.items()) for one in listed[:3]]


def places(node: Json, kind: str) -> Iterator[Place]:
    """Yield every element of a resource that has a value, by the definitions."""
    for child in r4_types().children(kind).values():
        for key, inner in child.options:
            if key not in node:
                continue
            yield Place(node, key, inner, child.many)
            for value in node[key] if isinstance(node[key], list) else [node[key]]:
                if isinstance(value, dict):
                    yield from places(value, value.get("resourceType", inner) if inner == "Resource" else inner)


def drop(place: Place, random: Random) -> None:
    del place.owner[place.key]


def duplicate(place: Place, random: Random) -> None:
    value = place.value
    place.owner[place.key] = [*value, copy.deepcopy(value[0])] if isinstance(value, list) else [value, value]


def retype(place: Place, random: Random) -> None:
    value = place.value
    other: list[Any] = [1, True, "x", {"id": "x"}, [value]]
    place.owner[place.key] = random.choice([one for one in other if type(one) is not type(value)])


def wrong_code(place: Place, random: Random) -> None:
    _put(place, random.choice(["zzz", "Final", "unknown-code"]))


def unknown_key(place: Place, random: Random) -> None:
    target = place.value if isinstance(place.value, dict) else place.owner
    target[random.choice(["nonsense", "Status", "_nonsense", "valueNonsense"])] = "x"


def bad_format(place: Place, random: Random) -> None:
    _put(place, random.choice(WRONG[place.kind]))


def empty(place: Place, random: Random) -> None:
    place.owner[place.key] = random.choice(["", {}, [], None, [None]])


def added(place: Place, random: Random) -> None:
    """Add an element that the owner's type has and the resource had not, with a value of a wrong type."""
    absent = [
        (key, child.many)
        for child in r4_types().children(_type_of(place)).values()
        for key, _ in child.options
        if key not in place.value
    ]
    key, many = random.choice(absent)
    place.value[key] = random.choice([1, True, "x", {}, []]) if many else random.choice([[1], [], {}, None])


WAYS: Mapping[str, tuple[Callable[[Place, Random], None], Callable[[Place], bool]]] = MappingProxyType(
    {
        "drop": (drop, lambda _: True),
        "duplicate": (duplicate, lambda _: True),
        "retype": (retype, lambda _: True),
        "wrong code": (wrong_code, lambda place: place.kind == "code"),
        "unknown key": (unknown_key, lambda _: True),
        "bad format": (bad_format, lambda place: place.kind in WRONG),
        "empty": (empty, lambda _: True),
        "added": (added, lambda place: isinstance(place.value, dict) and place.kind not in PRIMITIVES),
    }
)


def _put(place: Place, value: Any) -> None:
    place.owner[place.key] = [value, *place.value[1:]] if isinstance(place.value, list) else value


def _type_of(place: Place) -> str:
    return place.value.get("resourceType", place.kind) if place.kind == "Resource" else place.kind


def mutations() -> Iterator[tuple[str, Json]]:
    """Yield the same mutations each time: each way as often as the others, each resource in its turn."""
    random = Random(SEED)
    rights = originals()
    ways = list(WAYS)
    for number in range(MUTATIONS):
        changed = copy.deepcopy(rights[number % len(rights)])
        way = ways[number // len(rights) % len(ways)]
        change, fits = WAYS[way]
        fitting = [one for one in places(changed, changed["resourceType"]) if fits(one)]
        if fitting:
            change(random.choice(fitting), random)
            yield way, changed


def judge(validator: Validator, way: str, resource: Json) -> Judged:
    """Ask all three."""
    found = validator.validate_resource(resource, french_profiles="declared")
    ours = tuple(sorted({one.code for one in found if one.blocks}))
    others = {"fhir.resources": of_fhir_resources(resource), "fhirkit-rs": of_fhirkit(resource)}
    return Judged(way, resource["resourceType"], ours, MappingProxyType(others))


def of_fhir_resources(resource: Json) -> str | None:
    """Return the kinds of pydantic's errors, or None."""
    try:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    except ValidationError as wrong:
        return " + ".join(sorted({one["type"] for one in wrong.errors()}))
    return None


def of_fhirkit(resource: Json) -> str | None:
    """Return the sentences of its errors without what they quote, or None."""
    found = {
        re.sub(r'"[^"]*"|\d+', "…", one.message)
        for one in fhirkit.validate(orjson.dumps(resource))
        if str(one.severity) == "error"
    }
    return " + ".join(sorted(found)) or None
