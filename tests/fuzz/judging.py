"""One document → what must be true of it: one verdict or refusal, places inside it, in bounded time."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import orjson

from fhir_profiles.bundle import parse
from fhir_profiles.errors import Refused
from fhir_profiles.limits import Limits
from fhir_profiles.validator import Validator
from gateway.synthetic.bundles import workload
from tests.support.differential import originals

SEED = 20261125
SECONDS = 20  # processor time of one document of 100 KB that is no longer slow but hanging
Stage = Callable[[bytes], str]


class HangError(Exception):
    """A document took all the processor time that any may take."""


def rights() -> list[bytes]:
    """Return what is harmed: a bundle, and resources of each type and profile by themselves."""
    return [next(workload(SEED, 1)), *map(orjson.dumps, originals())]


@contextmanager
def bounded() -> Iterator[None]:
    """Raise HangError where the inside takes more processor time than any document may."""

    def hang(_number: int, _frame: FrameType | None) -> None:
        raise HangError

    before = signal.signal(signal.SIGPROF, hang)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def parsed(content: bytes) -> str:
    """Read a document: "read", or the code of the one refusal."""
    try:
        parse(content, Limits())
    except Refused as refused:
        (first, *_rest) = refused.issues
        return first.code
    return "read"


def judged(validator: Validator) -> Stage:
    """Return the stage that validates a document: "right", "refused", "wrong"; the same bytes have the same issues."""

    def stage(content: bytes) -> str:
        found = validator.validate(content)
        assert found.issues == validator.validate(content).issues, "another verdict on the same bytes"
        lines = content.count(b"\n") + 1
        assert all(one.line is None or 1 <= one.line <= lines for one in found.issues), "a place outside the document"
        return "right" if found.valid is not None else "wrong" if found.entry_issues else "refused"

    return stage


def run(stage: Stage, contents: Iterator[bytes], counts: Counter[str]) -> Iterator[Counter[str]]:
    """Run the stage on each document, and yield the counts of its answers after each."""
    for content in contents:
        with bounded():
            counts[stage(content)] += 1
        yield counts
