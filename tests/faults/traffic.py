"""What hospitals do meanwhile: bundles of a seed, a tenth of them wrong, posted by eight clients at a pace, and resent.

Gives a tally: what was answered, how late, what was accepted with which receipt, what should not have been.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson

from gateway.synthetic.bundles import stay_bundle
from gateway.synthetic.faults import plant
from gateway.synthetic.plan import plan_ordinary
from gateway.synthetic.scene import Hospital
from gateway.synthetic.writing import write_stays
from tests.support.installation import FINESS, Installation

CLIENTS = 8
WRONG_SHARE = 0.1
BEYOND = 100_000  # numbers of stays that no right bundle has
RETRY_S = 0.3


@dataclass(frozen=True)
class Body:
    """One bundle as it is sent, and whether it has a mistake."""

    content: bytes
    wrong: bool


def bodies_of(folder: Path, *, seed: int, stays: int) -> list[Body]:
    """Return the bundles of so many synthetic stays, wrong ones mixed in until they are a tenth."""
    hospital = Hospital(FINESS)
    write_stays(folder, seed=seed, stays=stays, hospital=hospital)
    bodies = [Body(path.read_bytes(), "-wrong-" in path.name) for path in sorted(folder.glob("0*.json"))]
    right = sum(not body.wrong for body in bodies)
    missing = round(right * WRONG_SHARE / (1 - WRONG_SHARE)) - (len(bodies) - right)
    for turn in range(max(missing, 0)):
        bundle, _ = plant(stay_bundle(seed, hospital, plan_ordinary(seed, BEYOND + turn)), turn)
        bodies.append(Body(orjson.dumps(bundle), wrong=True))
    random.Random(seed).shuffle(bodies)
    return bodies


@dataclass
class Tally:
    """What the clients saw."""

    bodies: list[Body]
    statuses: Counter[str] = field(default_factory=Counter)
    accepted: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    receipts: set[str] = field(default_factory=set)
    slowest_s: float = 0.0
    without_retry_after: int = 0
    successes: list[float] = field(default_factory=list)
    gate: threading.Lock = field(default_factory=threading.Lock)

    def note(self, number: int, answer: httpx.Response, seconds: float) -> None:
        with self.gate:
            self.statuses[str(answer.status_code)] += 1
            self.slowest_s = max(self.slowest_s, seconds)
            if answer.status_code == 200:
                self.accepted.add(number)
                self.receipts.add(answer.headers["Gateway-Receipt"])
                self.successes.append(time.monotonic())
            elif answer.status_code in (429, 503):
                self.without_retry_after += not answer.headers.get("Retry-After", "").isdigit()
            elif 400 <= answer.status_code < 500:
                self.refused.add(number)

    def cut(self, error: httpx.TransportError, seconds: float) -> None:
        with self.gate:
            self.statuses[type(error).__name__] += 1
            self.slowest_s = max(self.slowest_s, seconds)

    @property
    def misjudged(self) -> int:
        """Return how many wrong bundles were accepted and right ones refused."""
        return sum(self.bodies[n].wrong for n in self.accepted) + sum(not self.bodies[n].wrong for n in self.refused)

    @property
    def left(self) -> int:
        """Return how many bundles have no answer yet that is one."""
        return len(self.bodies) - len(self.accepted | self.refused)

    def first_success_after(self, moment: float, *, within_s: float) -> float:
        """Wait for the first 2xx after a moment; return how long it took, infinity when there was none in time."""
        while not (after := [at for at in self.successes if at > moment]):
            if time.monotonic() - moment > within_s:
                return float("inf")
            time.sleep(0.02)
        return min(after) - moment


class Traffic:
    """Eight clients that post every n-th bundle until stopped: what has no answer yet first, then resends."""

    def __init__(self, installation: Installation, bodies: list[Body], *, per_s: float) -> None:
        self.tally = Tally(bodies)
        self._installation = installation
        self._pause_s = CLIENTS / per_s
        self._stop = threading.Event()
        self._clients = [threading.Thread(target=self._post, args=(mine,)) for mine in range(CLIENTS)]

    def start(self) -> None:
        for client in self._clients:
            client.start()

    def wait_answered(self, *, patience_s: float) -> None:
        """Return when every bundle has an answer, or when none came for so long."""
        left, since = self.tally.left, time.monotonic()
        while left and time.monotonic() - since < patience_s:
            time.sleep(0.05)
            if self.tally.left < left:
                left, since = self.tally.left, time.monotonic()

    def end(self) -> None:
        self._stop.set()
        for client in self._clients:
            client.join()

    def _post(self, mine: int) -> None:
        tally = self.tally
        numbers = range(mine, len(tally.bodies), CLIENTS)
        with self._installation.client() as client:
            for turn in itertools.count():
                todo = [n for n in numbers if n not in tally.accepted | tally.refused]
                for number in todo or list(numbers)[turn % 7 :: 7]:
                    if self._stop.wait(self._one(client, number)):
                        return
                if self._stop.wait(self._pause_s):
                    return

    def _one(self, client: httpx.Client, number: int) -> float:
        """Post one bundle; return how long to pause."""
        started = time.monotonic()
        try:
            answer: Any = client.post("/fhir", content=self.tally.bodies[number].content)
        except httpx.TransportError as error:
            self.tally.cut(error, time.monotonic() - started)
            return RETRY_S
        took = time.monotonic() - started
        self.tally.note(number, answer, took)
        return RETRY_S if answer.status_code in (429, 503) else max(self._pause_s - took, 0.0)
