"""The allow-list is total: what survives is exactly what the rules list, for every element of every type (P14)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson
import pytest

from tests.support.filled import Filler, paths
from tests.support.scrubbed import KEYS, TEST_CONTRACT
from transformers.deidentify.elements import Element
from transformers.deidentify.primitives import number
from transformers.deidentify.projection import Fields, shape
from transformers.deidentify.rulebook import Rule
from transformers.deidentify.rules import Rules, load_rules
from transformers.deidentify.scene import Scene

RULES = load_rules()
QUANTITY = ("value", "comparator", "system", "code")
REFERENCE = ("type", "identifier.system", "identifier.value")
CODING = ("system", "version", "code")
SURVIVING = Path(__file__).with_name("surviving_paths.txt")


def scene(rules: Rules = RULES) -> Scene:
    return Scene(
        contract=TEST_CONTRACT, source="main", hospital=KEYS.hospital, codes=rules.codes(()), types=rules.types
    )


def expected(name: str, path: str, prefix: str, depth: int = 0) -> Iterator[str]:
    """What the words of rules.toml promise, read without the compiler."""
    for child, element in RULES.elements.children(name, path):
        below = f"{path}.{child}" if path else child
        rule = RULES.book.rule(name, below)
        place = f"{prefix}.{child}"
        if below == "meta" and rule is None:
            yield from expected("Meta", "", place)
        elif rule is None and element.type in ("BackboneElement", "Element"):
            yield from expected(name, below, place, depth)
        elif rule is not None and rule.leaves:
            yield from leaving(element, rule.action, name, place, depth)


def leaving(element: Element, action: str, name: str, place: str, depth: int) -> Iterator[str]:
    if action == "code":
        yield from (f"{place}{'' if element.type == 'Coding' else '.coding'}.{part}" for part in CODING)
    elif action == "reference":
        yield from (f"{place}.{part}" for part in REFERENCE)
    elif action in ("identifier", "department", "mode", "digits"):
        return  # made from identities and shapes, tested on their own
    elif element.type in ("Quantity", "Age", "Duration"):
        yield from (f"{place}.{part}" for part in QUANTITY)
    elif element.type.startswith("#"):
        yield from expected(name, element.type[1:], place, depth + 1) if depth < 1 else ()
    elif element.type in RULES.elements.types:
        yield from expected(element.type, "", place)
    else:
        yield place


@pytest.mark.parametrize("name", sorted(RULES.types))
def test_what_survives_is_exactly_what_the_rules_list(name: str) -> None:
    filler = Filler(RULES.elements)
    resource = filler.resource(name)
    for node in quantities(resource):
        node |= {"system": "http://unitsofmeasure.org", "code": "mg"}
    resource["meta"] = {"versionId": "7", "lastUpdated": "2024-03-01T08:15:42.123+01:00", "source": filler.token()}

    made = RULES.projections[name](resource, scene())

    parent = {"Encounter.partOf.extension.url", "Encounter.partOf.extension.valueString"}
    assert set(paths(made, name)) - parent == set(expected(name, "", name))


@pytest.mark.parametrize("name", sorted(RULES.types))
def test_no_text_survives_wherever_it_stands(name: str) -> None:
    filler = Filler(RULES.elements)
    resource = filler.resource(name)

    body = orjson.dumps(RULES.projections[name](resource, scene()))

    assert len(filler.tokens) > 20
    assert [token for token in filler.tokens if token.encode() in body] == []
    sent = orjson.dumps(resource)
    assert all(token.encode() in sent for token in filler.tokens[:20])


def test_the_list_of_surviving_paths_is_the_reviewed_one() -> None:
    """A change of rules.toml changes this file: `RULES_ACCEPT=1` is not offered, edit it and have it reviewed."""
    found = sorted({one for name in RULES.types for one in expected(name, "", name)})

    assert found == SURVIVING.read_text(encoding="utf-8").split()


def every_value(filler: Filler) -> dict[str, object]:
    """One value of each type that an extension may have, all at once: what the rules do not list goes."""
    coding = {"system": "http://loinc.org", "version": "2.77", "code": "718-7", "display": filler.token()}
    texts = ("String", "Code", "Uri", "Url", "Canonical", "Markdown", "Id", "Oid", "Uuid", "Base64Binary", "DateTime")
    return {
        **{f"value{kind}": filler.token() for kind in texts},
        **{f"value{kind}": 7 for kind in ("Integer", "PositiveInt", "UnsignedInt", "Decimal")},
        "valueBoolean": True,
        "valueCoding": coding,
        "valueCodeableConcept": {"coding": [coding], "text": filler.token()},
        "valueIdentifier": {"system": filler.token(), "value": filler.token()},
        "valueReference": {"reference": f"Patient/{filler.token()}", "display": filler.token()},
        "valueQuantity": {"value": 7, "unit": filler.token(), "code": filler.token()},
        "valueAddress": {"text": filler.token()},
        "valueHumanName": {"family": filler.token()},
        "id": filler.token(),
        "_valueString": {"id": filler.token()},
    }


def listed_values(rules: Mapping[str, Rule], place: str) -> Iterator[str]:
    for name, rule in rules.items():
        kind = name.removeprefix("value")
        element = Element(kind if kind in RULES.elements.types else kind[:1].lower() + kind[1:], repeats=False)
        yield from leaving(element, rule.action, "Extension", f"{place}.{name}", 0)


@pytest.mark.parametrize(
    ("url", "place"), [(url, place) for url, rule in sorted(RULES.book.extensions.items()) for place in rule.on]
)
def test_of_a_listed_extension_leaves_what_the_rules_list_and_nothing_else(url: str, place: str) -> None:
    rule = RULES.book.extensions[url]
    filler = Filler(RULES.elements)
    name, *steps = place.split(".")
    resource = filler.resource(name)
    node = resource
    for step in steps:
        node = node[step][0] if isinstance(node[step], list) else node[step]
    parts = [{"url": part} | every_value(filler) for part in (*rule.parts, filler.token())]
    node["extension"] = [
        {"url": url, "extension": parts} | every_value(filler),
        {"url": f"https://ext.example/{filler.token()}"} | every_value(filler),
    ]

    made = RULES.projections[name](resource, scene())

    prefix = f"{place}.extension"
    wanted = set(listed_values(rule.values, prefix))
    for part in rule.parts.values():
        below = set(listed_values(part, f"{prefix}.extension"))
        wanted |= below | ({f"{prefix}.extension.url"} if below else set())
    assert {one for one in paths(made, name) if one.startswith(prefix)} == wanted | {f"{prefix}.url"}
    assert [token for token in filler.tokens if token.encode() in orjson.dumps(made)] == []


@pytest.mark.parametrize("name", sorted(RULES.types))
def test_values_of_a_wrong_type_never_survive(name: str) -> None:
    """Each leaf is replaced by values of other JSON types: nothing raises, and no text comes through."""
    dice = random.Random(name)
    filler = Filler(RULES.elements, plant=False)
    resource = filler.resource(name)
    token = "zqwrongtypexkwv"
    wrong = [token, [token], {"value": token}, 12, True, None, [[token]], {token: token}, [None]]

    for _ in range(60):
        body = orjson.dumps(RULES.projections[name](spoiled(resource, dice, wrong), scene()))
        assert token.encode() not in body


def test_an_object_is_read_by_its_own_members_however_many_sets_of_members_came_before() -> None:
    fields = Fields({f"n{place}": number for place in range(12)}, {"x": "Type.x"}, frozenset({"x"}))
    project, made = shape(fields), scene()

    for mask in range(1 << 12):
        sent = {f"n{place}": place for place in range(12) if mask >> place & 1}
        assert project(sent | {"x": 1, "posted name": "zq"}, made) == (sent or None)

    assert made.left_out == ["Type.x"] * (1 << 12)


def test_only_sets_of_members_that_the_definitions_name_are_remembered() -> None:
    project = shape(Fields({"status": number}, {}, frozenset({"status", "_status"})))

    for sent in ({"status": 1, "MARTIN": 2}, {"_status": 3, "status": 1}):
        assert project(sent, scene()) == {"status": 1}

    (plans,) = (cell.cell_contents for cell in project.__closure__ or () if type(cell.cell_contents) is dict)
    assert list(plans) == [("_status", "status")]


def quantities(node: object) -> Iterator[dict[str, object]]:
    if isinstance(node, dict):
        if {"value", "unit", "code"} <= node.keys():
            yield node
        for value in node.values():
            yield from quantities(value)
    elif isinstance(node, list):
        for value in node:
            yield from quantities(value)


def spoiled(node: object, dice: random.Random, wrong: list[object]) -> object:
    if dice.random() < 0.15:
        return dice.choice(wrong)
    if isinstance(node, dict):
        return {name: spoiled(value, dice, wrong) for name, value in node.items()}
    if isinstance(node, list):
        return [spoiled(value, dice, wrong) for value in node]
    return node
