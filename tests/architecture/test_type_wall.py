"""Nothing identifying passes the wall: the types refuse it (DESIGN §1, promise P13)."""

from __future__ import annotations

import pickle

import pytest

from fhir_profiles.values import Entry, ParsedBundle, RawBundle, ValidBundle
from transformers.deidentify.values import DeidentifiedBundle

CANARY = "zqcanaryzqcanaryzq42"
PARSED = ParsedBundle(
    kind="batch",
    entries=(Entry(0, "Bundle.entry[0].resource", "Patient", id=CANARY, resource={"id": CANARY}),),
    root={"id": CANARY},
    size_bytes=3,
    canonical=CANARY.encode(),
    identity=CANARY,
)
IDENTIFYING = [RawBundle(CANARY.encode()), PARSED, PARSED.entries[0], ValidBundle(PARSED, (0,))]


@pytest.mark.parametrize("value", IDENTIFYING, ids=lambda value: type(value).__name__)
def test_printing_an_identifying_value_shows_counts_only(value: object) -> None:
    for printed in (repr(value), str(value), f"{value}", f"{[value]}"):
        assert CANARY not in printed


@pytest.mark.parametrize("value", IDENTIFYING, ids=lambda value: type(value).__name__)
def test_an_identifying_value_is_never_pickled(value: object) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(value)


@pytest.mark.parametrize("value", IDENTIFYING, ids=lambda value: type(value).__name__)
def test_an_identifying_value_is_frozen(value: object) -> None:
    with pytest.raises((AttributeError, TypeError)):
        value.extra = CANARY  # type: ignore[attr-defined]


def test_only_scrubbing_makes_a_deidentified_bundle() -> None:
    with pytest.raises(TypeError):
        DeidentifiedBundle("750712184", "main", "person|x", b"{}", "", (0,), "1", "k", object())
