"""No harmed document makes the parser or the validator fail, hang or change its mind (longer: `make fuzz`)."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from fhir_profiles.validator import Validator
from tests.fuzz.judging import SEED, HangError, bounded, judged, parsed, rights, run
from tests.fuzz.mutator import documents

READ, VALIDATED = 20_000, 25_000  # one to two minutes beside other tests


def answers(counts: Counter[str]) -> int:
    return len([one for one, times in counts.items() if times])


def test_every_harmed_document_is_read_or_refused_with_one_code() -> None:
    counts: Counter[str] = Counter()

    for _ in run(parsed, islice(documents(rights(), seed=SEED), READ), counts):
        pass

    assert counts.total() == READ
    assert counts["read"] >= READ // 10, "most must get past the parser, or the validator is never tried"
    assert answers(counts) >= 10, "few ways of being wrong: the harm is too uniform"


def test_every_harmed_document_gets_one_verdict_with_places_inside_it() -> None:
    counts: Counter[str] = Counter()

    for _ in run(judged(Validator.load()), islice(documents(rights(), seed=SEED), VALIDATED), counts):
        pass

    assert counts.total() == VALIDATED
    assert min(counts["right"], counts["wrong"], counts["refused"]) >= VALIDATED // 60


def test_the_same_seed_harms_alike_and_a_number_finds_its_document_again() -> None:
    right = rights()[1:]

    first = list(islice(documents(right, seed=1), 20))

    assert first == list(islice(documents(right, seed=1), 20))
    assert first[7:] == list(islice(documents(right, seed=1, start=7), 13))
    assert first != list(islice(documents(right, seed=2), 20))


def test_what_hangs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.judging.SECONDS", 0.05)

    def for_ever() -> None:
        with bounded():
            while True:
                pass

    with pytest.raises(HangError):
        for_ever()
