"""Bytes become a ParsedBundle, or one refusal whose code says why."""

from __future__ import annotations

import contextlib
import json
import pickle
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_profiles.bundle import parse
from fhir_profiles.errors import Invalid, Malformed, Refused, TooLarge
from fhir_profiles.limits import Limits
from fhir_profiles.values import RawBundle, ValidBundle, Verdict
from tests.support.posted import body, bundle, patient, post, put

LIMITS = Limits()


def refusal(content: bytes, **route: str) -> Refused:
    with pytest.raises(Refused) as caught:
        parse(content, LIMITS, **route)
    assert caught.value.__context__ is None, "the decoder's error would carry the document"
    return caught.value


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "body-empty"),
        (b" \n", "body-empty"),
        (b"\xef\xbb\xbf{}", "utf8-bom"),
        (b'{"resourceType":"Patient","id":"\xe9"}', "utf8-invalid"),
        ('{"resourceType":"Patient"}'.encode("utf-16"), "utf8-invalid"),
        (b'{"resourceType":"Patient","x":"\xed\xa0\x80"}', "utf8-invalid"),
        (b"{", "json-invalid"),
        (b"<Patient/>", "json-invalid"),
        (b'{"a":01}', "json-invalid"),
        (b'{"a":1,}', "json-invalid"),
        (b'{"a":"\t\x00"}', "json-invalid"),
        (b"{} {}", "json-trailing"),
        (b'{"resourceType":"Patient"}x', "json-trailing"),
        (b'{"a":NaN}', "json-number"),
        (b'{"a":Infinity}', "json-number"),
        (b'{"a":-Infinity}', "json-number"),
        (b'{"a":1e999}', "json-number"),
        (b'{"a":' + b"9" * 10_000 + b"}", "json-number"),
        (b'{"a":"\\ud800"}', "json-surrogate"),
        (b'{"a":"\\udc00 "}', "json-surrogate"),
        (b"[]", "json-not-object"),
        (b'"Patient"', "json-not-object"),
        (b"null", "json-not-object"),
        (b"{}", "resource-type-missing"),
        (b'{"resourceType":1}', "resource-type-missing"),
        (b'{"resourceType":""}', "resource-type-missing"),
        (b'{"resourceType":"Patient","resourceType":"Patient"}', "json-duplicate-key"),
    ],
)
def test_what_is_no_fhir_json_is_malformed(content: bytes, code: str) -> None:
    refused = refusal(content)

    assert isinstance(refused, Malformed)
    assert refused.code == code


@pytest.mark.parametrize(
    "content",
    [
        b'{"resourceType":"Patient","a":1,"a":2}',
        b'{"resourceType":"Patient","a" : 1, "a"\n:2}',
        b'{"resourceType":"Patient","a":{"b":[{"c":1,"c":1}]}}',
        b'{"resourceType":"Patient","a":1,"\\u0061":2}',
        b'{"resourceType":"Patient","a":1,"a":2,"x":":\\":,"}',
        b'{"resourceType":"Patient","a":1,"a":2,"x":"\\u003a"}',
        b'{"resourceType":"Patient","a":1,"a":2,"x":"\\u003A","y":"\\\\u003a"}',
        b'{"resourceType":"Patient","a":{"deep":{"deeper":":"}},"a":2}',
    ],
)
def test_a_duplicate_key_is_found_wherever_it_hides(content: bytes) -> None:
    assert refusal(content).code == "json-duplicate-key"


@pytest.mark.parametrize(
    "content",
    [
        b'{"resourceType":"Patient","a":"\\u003a","b":"\\u003A\\":"}',
        b'{"resourceType":"Patient","a":"\\\\u003a","b" : ":\\" :" }',
        b'{"resourceType":"Patient","a":":","b":"a:b::"}',
    ],
)
def test_colons_in_strings_are_no_duplicates(content: bytes) -> None:
    assert parse(content, LIMITS).kind == "single"


def test_the_place_of_a_syntax_error_and_of_a_duplicate_is_given() -> None:
    broken = refusal(b'{\n  "resourceType": "Patient",\n  oops\n}').issues[0]
    twice = refusal(b'{\n  "resourceType": "Patient",\n  "id": "1", "id": "2"\n}').issues[0]

    assert (broken.line, broken.column) == (3, 3)
    assert (twice.line, twice.column) == (3, 14)


@pytest.mark.parametrize(
    "kind", ["searchset", "history", "transaction-response", "batch-response", "other", 1, ["batch"]]
)
def test_bundles_that_are_no_input_are_invalid(kind: object) -> None:
    refused = refusal(body({"resourceType": "Bundle", "type": kind}))

    assert isinstance(refused, Invalid)
    assert refused.code == "bundle-type-not-accepted"


def test_types_that_r4_does_not_have_are_invalid() -> None:
    assert refusal(body({"resourceType": "Patients"})).code == "resource-type-unknown"
    assert refusal(body({"resourceType": "Bundle"})).code == "bundle-type-missing"
    assert refusal(body(patient()), expected_type="Encounter").code == "resource-type-unexpected"
    assert refusal(body(patient()), expected_type="Patients").code == "resource-type-unknown"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (put(patient("7")), ("Patient", "PUT", "7", None)),
        (put(patient("7"), fullUrl="https://h.fr/fhir/Patient/9"), ("Patient", "PUT", "7", None)),
        (post(patient("7")), ("Patient", "POST", None, None)),
        (post(patient("7"), fullUrl="https://h.fr/fhir/Patient/9"), ("Patient", "POST", "9", None)),
        (post(patient("7"), fullUrl="urn:uuid:0a"), ("Patient", "POST", None, None)),
        ({"resource": patient("7"), "fullUrl": "urn:uuid:0a"}, ("Patient", "", "7", None)),
        ({"resource": patient("7"), "fullUrl": "https://h.fr/Encounter/9"}, ("Patient", "", "7", None)),
        ({"resource": patient("not an id")}, ("Patient", "", None, None)),
        ({"request": {"method": "DELETE", "url": "Patient/3"}}, ("Patient", "DELETE", "3", None)),
        ({"request": {"method": "DELETE", "url": "https://h.fr/fhir/Patient/3"}}, ("Patient", "DELETE", "3", None)),
        (
            {"resource": {"resourceType": "Patient"}, "request": {"method": "PUT", "url": "Patient?identifier=s|v"}},
            ("Patient", "PUT", None, "identifier=s|v"),
        ),
        ({"request": {"method": "GET", "url": "Patient/3"}}, ("", "", None, None)),
        ({"resource": {"resourceType": "Nonsense"}}, ("", "", None, None)),
    ],
)
def test_an_entry_has_the_identity_of_its_url_or_full_url_or_resource(entry: dict, expected: tuple) -> None:
    found = parse(body(bundle("batch", entry)), LIMITS).entries[0]

    assert (found.type, found.method, found.id, found.conditional) == expected


def test_a_bundle_keeps_its_identity_and_time() -> None:
    by_identifier = parse(
        body(bundle("collection", id="b1", identifier={"system": "s", "value": "v"}, timestamp="2024-01-01T00:00:00Z")),
        LIMITS,
    )
    by_id = parse(body(bundle("collection", id="b1")), LIMITS)

    assert (by_identifier.identity, by_identifier.timestamp) == ("s|v", "2024-01-01T00:00:00Z")
    assert (by_id.identity, by_id.timestamp) == ("b1", None)


def test_one_resource_is_a_bundle_of_one() -> None:
    created = parse(body(patient("1")), LIMITS, expected_type="Patient", method="POST")
    updated = parse(body(patient("1")), LIMITS, expected_type="Patient", method="PUT", resource_id="1")
    deleted = parse(b"", LIMITS, expected_type="Patient", method="DELETE", resource_id="1")

    assert [(one.kind, one.entries[0].path, one.entries[0].id) for one in (created, updated, deleted)] == [
        ("single", "Patient", None),
        ("single", "Patient", "1"),
        ("single", "Patient", "1"),
    ]
    assert deleted.entries[0].resource is None
    assert refusal(body(patient("1")), expected_type="Patient", method="PUT", resource_id="a b").code == "id-format"


def test_canonical_bytes_do_not_depend_on_order_or_white_space() -> None:
    one = parse(b'{"resourceType":"Patient","id":"1","active":true}', LIMITS)
    other = parse(b'{ "active" : true,\n "id":"\\u0031", "resourceType":"Patient" }', LIMITS)

    assert one.canonical == other.canonical == orjson.dumps(one.root, option=orjson.OPT_SORT_KEYS)


def test_values_show_no_content_and_are_never_pickled() -> None:
    parsed = parse(body(bundle("batch", put(patient("secret-id", name=[{"family": "Secretname"}])))), LIMITS)
    values = [
        parsed,
        parsed.entries[0],
        ValidBundle(parsed, (0,)),
        RawBundle(b"secret"),
        Verdict(valid=ValidBundle(parsed, ())),
    ]

    for value in values:
        assert "ecret" not in f"{value!r} {value}"
    for value in values[:4]:
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(value)
    assert replace(parsed, kind="single").kind == "single"


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["resourceType", "type", "entry", "request", "method", "url", "fullUrl", "resource", "id", "meta"]
            )
            | st.text(max_size=5),
            children,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_raise_anything_but_a_refusal(content: bytes) -> None:
    with contextlib.suppress(Malformed, TooLarge, Invalid):
        parse(content, LIMITS)


@settings(max_examples=300, deadline=None)
@given(JSONISH, st.sampled_from(["transaction", "batch", "collection", "document", "message"]))
def test_no_json_raises_anything_but_a_refusal(value: object, kind: str) -> None:
    content = json.dumps(bundle(kind, value, {"resource": value})).encode()
    with contextlib.suppress(Malformed, TooLarge, Invalid):
        assert len(parse(content, LIMITS).entries) == 2
