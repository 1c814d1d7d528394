"""Expressions become line and column of the bytes that were sent."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_profiles.issues import Issue, issue
from fhir_profiles.positions import locate, steps_of, with_positions

SENT = """{
  "resourceType": "Bundle",
  "entry": [
    {"resource": {"resourceType": "Patient", "gender": "x"}},
    {
      "resource": {
        "name": [ {"family": "É", "given": ["A", "B"]}, {"use": "y"} ],
        "_birthDate": {"extension": [{"url": "u"}]},
        "a\\"b]": {"gender": 1},
        "valueQuantity": {"value": 1.5}
      }
    }
  ]
}
"""


@pytest.mark.parametrize(
    ("expression", "place"),
    [
        ("Bundle", (1, 1)),
        ("Bundle.entry", (3, 12)),
        ("Bundle.entry[0].resource.gender", (4, 56)),
        ("Bundle.entry[1]", (5, 5)),
        ("Bundle.entry[1].resource", (6, 19)),
        ("Bundle.entry[1].resource.name[0].given[1]", (7, 50)),
        ("Bundle.entry[1].resource.name[1]", (7, 57)),
        ("Bundle.entry[1].resource.birthDate.extension[0].url", (8, 46)),
        ("Bundle.entry[1].resource.value.ofType(Quantity).value", (10, 36)),
        ("Bundle.entry[1].resource.gender", (6, 19)),
        ("Bundle.entry[1].resource.value[x]", (6, 19)),
        ("Bundle.entry[7].resource.gender", (3, 12)),
        ("", (1, 1)),
    ],
)
def test_a_place_is_found_or_the_one_above_it(expression: str, place: tuple[int, int]) -> None:
    assert locate(SENT.encode(), [expression, "Bundle.entry[0]"])[expression] == place


def test_issues_get_the_place_of_their_expression_and_keep_the_one_they_have() -> None:
    issues = [
        issue("fullurl-missing", "Bundle.entry[1]"),
        issue("bundle-empty"),
        Issue("json-invalid", line=9, column=9),
    ]

    placed = with_positions(issues, SENT.encode())

    assert [(one.line, one.column) for one in placed] == [(5, 5), (None, None), (9, 9)]
    assert with_positions([], b"not JSON") == ()


def test_steps_stop_at_what_is_no_path() -> None:
    assert steps_of("Patient.name[0].given") == ("name", 0, "given")
    assert steps_of("Patient.name.where(use = 'a.b').given") == ("name",)


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=6),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from("abc"), children, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(JSON, st.sampled_from([None, 1]))
def test_every_value_is_found_where_it_stands(value: object, indent: int | None) -> None:
    text = json.dumps({"root": value}, indent=indent, ensure_ascii=False)
    paths: dict[str, object] = {}

    def visit(node: object, path: str) -> None:
        paths[path] = node
        pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for step, below in pairs:
            visit(below, f"{path}.{step}" if isinstance(step, str) else f"{path}[{step}]")

    visit(value, "X.root")
    decoder = json.JSONDecoder()
    for path, (line, column) in locate(text.encode(), paths).items():
        rest = "\n".join(text.split("\n")[line - 1 :])[column - 1 :]
        if "][" not in path:  # FHIR has no arrays of arrays
            assert decoder.raw_decode(rest)[0] == paths[path]
