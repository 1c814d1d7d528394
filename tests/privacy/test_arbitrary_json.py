"""Whatever JSON a sender puts under whatever name, no text of it leaves and nothing raises (P13, P14)."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_profiles.values import Entry, ParsedBundle, ValidBundle
from tests.support.filled import Filler
from tests.support.scrubbed import KEYS, TEST_CONTRACT
from transformers.deidentify.rules import load_rules
from transformers.deidentify.scrub import scrub

RULES = load_rules()
MARK = "zqhypo"
NAMES = sorted({part for paths in RULES.elements.types.values() for path in paths for part in path.split(".")})
TEXT = st.text(alphabet='abcXYZ019 éÉ@./:-_|#"\\\n\u202e', max_size=12).map(lambda text: MARK + text)
LEAF = st.one_of(
    TEXT, st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none()
)
KEY = st.one_of(st.sampled_from(NAMES), st.sampled_from(NAMES).map(lambda name: f"_{name}"), TEXT)
IDENTIFIER_NAME = st.sampled_from(("system", "value", "type", "use"))
VALUE = st.recursive(
    LEAF, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEY, inner, max_size=4)), max_leaves=25
)
IDENTIFIER = st.dictionaries(IDENTIFIER_NAME, VALUE, max_size=4)


def bundle(*resources: dict[str, Any]) -> ValidBundle:
    """As `validate` would hand it over had it checked nothing: scrubbing must hold by itself."""
    entries = tuple(
        Entry(index, f"Bundle.entry[{index}].resource", str(one["resourceType"]), id=f"r{index}", resource=one)
        for index, one in enumerate(resources)
    )
    canonical = orjson.dumps(resources, option=orjson.OPT_SORT_KEYS)
    parsed = ParsedBundle("batch", entries, {"resourceType": "Bundle"}, len(canonical), canonical, identity=MARK)
    return ValidBundle(parsed, tuple(range(len(entries))))


def leaving(valid: ValidBundle) -> bytes:
    result = scrub(valid, contract=TEST_CONTRACT, source="main", keys=KEYS, rules=RULES, explain=True)
    return b"".join(one.body for one in result.bundles) + repr((result, result.dropped, result.explained)).encode()


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(RULES.types)), content=st.dictionaries(KEY, VALUE, max_size=12))
def test_no_text_of_arbitrary_json_leaves(name: str, content: dict[str, Any]) -> None:
    assert MARK.encode() not in leaving(bundle(content | {"resourceType": name}))


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(sorted(RULES.types)), data=st.data())
def test_no_text_put_into_a_right_resource_leaves(name: str, data: st.DataObject) -> None:
    resource = Filler(RULES.elements, plant=False).resource(name)
    for _ in range(data.draw(st.integers(1, 4))):
        node: Any = resource
        while isinstance(node, (dict, list)) and node:
            place = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if not isinstance(node[place], (dict, list)) or data.draw(st.booleans()):
                node[place] = data.draw(VALUE)
                break
            node = node[place]
    resource["resourceType"] = name

    assert MARK.encode() not in leaving(bundle(resource))


@settings(max_examples=100, deadline=None)
@given(identifiers=st.lists(IDENTIFIER, max_size=4), address=VALUE, birth=LEAF, stay=VALUE)
def test_no_identity_of_arbitrary_json_leaves(identifiers: list[Any], address: Any, birth: Any, stay: Any) -> None:
    patient = dict.fromkeys(("birthDate", "gender", "multipleBirthInteger"), birth)
    patient |= {"identifier": identifiers, "address": [address], "extension": address, "contained": stay, "meta": stay}
    encounter = dict.fromkeys(("subject", "period", "partOf", "serviceProvider"), stay) | {"identifier": identifiers}
    coverage = {"subscriberId": birth, "identifier": identifiers, "subscriber": stay, "beneficiary": stay}
    named = [patient | {"resourceType": "Patient"}, encounter | {"resourceType": "Encounter"}]

    assert MARK.encode() not in leaving(bundle(*named, coverage | {"resourceType": "Coverage"}))
