"""Places are bounded, one hospital leaves room for another, quotas refill, and what ended gives its place back."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from fhir_profiles.errors import Busy
from gateway.admission import Admission, Bounds
from gateway.quota import SLOTS, Quota

A, B = "750712184", "690781810"


class ManualClock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def refusal(admission: Admission, finess: str) -> Busy:
    with pytest.raises(Busy) as caught, admission.enter(finess):
        pass
    return caught.value


def test_one_hospital_never_takes_the_last_quarter_of_the_places() -> None:
    admission = Admission(Bounds(8, 1000))
    with ExitStack() as inside:
        for _ in range(6):
            inside.enter_context(admission.enter(A))

        assert refusal(admission, A).code == "quota-concurrency"
        for _ in range(2):
            inside.enter_context(admission.enter(B))
        assert refusal(admission, B).code == "saturated"

    assert (admission.requests, admission.bytes) == (0, 0)
    with admission.enter(A):
        assert admission.requests == 1


def test_a_place_is_given_back_whatever_happens_inside() -> None:
    admission = Admission(Bounds(1, 1000))
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), admission.enter(A) as place:
            place.hold(400 // (place.held * 0))
        with admission.enter(A) as place:
            place.hold(400)

    assert (admission.requests, admission.bytes) == (0, 0)


def test_bytes_in_flight_are_bounded_and_the_only_one_always_passes() -> None:
    admission = Admission(Bounds(8, 1000))
    with admission.enter(A) as first:
        first.hold(1500)
        with admission.enter(B) as second:
            with pytest.raises(Busy) as caught:
                second.hold(1)
            assert caught.value.code == "saturated"
    with admission.enter(A) as first, admission.enter(B) as second:
        first.hold(500)
        first.hold(400)
        second.hold(500)
        assert admission.bytes == 1000


def test_a_quota_lets_a_burst_through_then_a_rate() -> None:
    clock = ManualClock()
    admission = Admission(Bounds(100, 1000), quota=Quota(per_s=2, burst=3, clock=clock))
    for _ in range(3):
        with admission.enter(A):
            pass

    refused = refusal(admission, A)
    assert (refused.code, refused.retry_after_s) == ("quota", 1)
    with admission.enter(B):
        pass
    clock.now += 0.5
    with admission.enter(A):
        pass
    assert refusal(admission, A).code == "quota"
    clock.now += 3600
    for _ in range(3):
        with admission.enter(A):
            pass
    assert refusal(admission, A).code == "quota"


def test_without_a_quota_there_is_none() -> None:
    admission = Admission(Bounds(100, 1000))
    for _ in range(1000):
        with admission.enter(A):
            pass


def test_a_quota_is_shared_by_the_processes_that_were_forked_after_it() -> None:
    quota = Quota(per_s=1, burst=50, clock=ManualClock())
    children = []
    for _ in range(4):
        children.append(os.fork())
        if not children[-1]:
            os._exit(sum(quota.take(A) == 0 for _ in range(20)))
    taken = sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)

    assert taken == 50
    assert quota.take(A) == 1
    assert quota.take(B) == 0


def test_more_hospitals_than_a_country_has_keep_their_own_quotas() -> None:
    quota = Quota(per_s=1, burst=1, clock=ManualClock())
    hospitals = [f"{number:09}" for number in range(SLOTS * 3 // 4)]

    assert all(quota.take(finess) == 0 for finess in hospitals)
    assert all(quota.take(finess) == 1 for finess in hospitals)
