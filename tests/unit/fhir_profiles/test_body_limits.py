"""Each limit holds at one below, at the limit and one above it (Promise: P20)."""

from __future__ import annotations

import pytest

from fhir_profiles.bundle import parse
from fhir_profiles.errors import TooLarge
from fhir_profiles.limits import Limits
from tests.support.posted import body, bundle, patient, put

LIMITS = Limits()


def code_of(content: bytes, limits: Limits = LIMITS) -> str:
    try:
        parse(content, limits)
    except TooLarge as refused:
        return refused.code
    return "accepted"


def nested(levels: int, *, arrays: bool) -> bytes:
    """A Patient that is the first of so many levels."""
    inside = b'{"x":' * (levels - 1) + b"1" + b"}" * (levels - 1)
    if arrays:
        inside = b"[" * (levels - 1) + b"]" * (levels - 1)
    return b'{"resourceType":"Patient","x":' + inside + b"}"


@pytest.mark.parametrize(("levels", "code"), [(63, "accepted"), (64, "accepted"), (65, "too-deep")])
@pytest.mark.parametrize("arrays", [True, False])
def test_depth(levels: int, code: str, arrays: bool) -> None:
    assert code_of(nested(levels, arrays=arrays)) == code


@pytest.mark.parametrize("levels", [253, 254, 255, 1023, 1024, 1025, 100_000])
def test_depth_far_beyond_what_the_decoder_takes(levels: int) -> None:
    assert code_of(nested(levels, arrays=True)) == "too-deep"
    assert code_of(nested(levels, arrays=False)) == "too-deep"


def test_brackets_in_strings_are_not_depth() -> None:
    assert code_of(body(patient(text="[{" * 500))) == "accepted"


@pytest.mark.parametrize(("count", "code"), [(999, "accepted"), (1000, "accepted"), (1001, "too-many-entries")])
def test_entries(count: int, code: str) -> None:
    assert code_of(body(bundle("batch", *({} for _ in range(count))))) == code


@pytest.mark.parametrize(("extra", "code"), [(-1, "accepted"), (0, "accepted"), (1, "body-too-large")])
def test_bytes(extra: int, code: str) -> None:
    content = body(patient())

    assert code_of(content + b" " * (LIMITS.body_bytes - len(content) + extra)) == code


@pytest.mark.parametrize(("extra", "code"), [(-1, "accepted"), (0, "accepted"), (1, "string-too-long")])
@pytest.mark.parametrize("character", ["a", "é", '"', "\\", "\n", "😀"])
def test_string_bytes(character: str, extra: int, code: str) -> None:
    width = len(character.encode())
    size = LIMITS.string_bytes - LIMITS.string_bytes % width
    text = character * (size // width) + "b" * (LIMITS.string_bytes - size + extra)
    if extra < 0:
        text = character * (size // width - 1)

    assert code_of(body(patient(text=text))) == code


@pytest.mark.parametrize("limit", [1, 2, 7, 16])
def test_string_limit_of_any_size_counts_keys_and_values(limit: int) -> None:
    limits = Limits(string_bytes=max(limit, 16))
    width = limits.string_bytes

    assert code_of(body(patient(x="v" * width)), limits) == "accepted"
    assert code_of(body(patient(x="v" * (width + 1))), limits) == "string-too-long"
    assert code_of(body(patient(**{"k" * width: 1})), limits) == "accepted"
    assert code_of(body(patient(**{"k" * (width + 1): 1})), limits) == "string-too-long"


def test_a_long_string_is_placed_in_its_entry() -> None:
    limits = Limits(string_bytes=40)
    content = body(bundle("batch", put(patient()), put(patient("p2", text="x" * 41))))

    with pytest.raises(TooLarge) as caught:
        parse(content, limits)

    assert caught.value.issues[0].expression == "Bundle.entry[1]"


@pytest.mark.parametrize("limits", [{"depth": 0}, {"depth": 129}, {"entries": 0}, {"body_bytes": -1}])
def test_limits_that_make_no_sense_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        Limits(**limits)
