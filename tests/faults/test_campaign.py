"""The campaign in short: three seeds, each with an embedded and a server leg, every kind of fault once.

Only what holds on any machine is judged here; times are figures of the long form (`make faults`, docs/faults.md).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.campaign import Prepared, prepared, run
from tests.faults.harm import FAULTS
from tests.faults.judging import broken_promises
from tests.support import kafka_broker, postgres_server

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]
STAYS = 25
PER_S = 20
EMBEDDED = {
    1: ("kill-gateway-worker", "kill-writer", "stop-gateway"),
    3: ("full-disk-log", "full-disk-audit", "full-disk-lake"),
    4: ("clock-jumps", "kill-writer", "kill-gateway-worker"),
}
SERVER = {
    (1, "server"): (
        "broker-away-14s", "kill-postgresql", "kill-writer", "acknowledgement-swallowed", "clock-jumps",
        "full-disk-postgresql",
    ),
    (3, "server"): (
        "network-delay-4s", "black-hole", "stop-gateway-while-broker-away", "writer-joins-and-leaves",
        "full-disk-kafka",
    ),
    (4, "cluster"): ("leader-moves", "two-of-three-brokers-away", "kill-writer", "pause-broker-10s", "kill-broker"),
}  # fmt: skip


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared(tmp_path_factory.mktemp("campaign"), seed=1, stays=STAYS)


@pytest.mark.parametrize("seed", EMBEDDED)
def test_the_embedded_form_loses_and_doubles_nothing(seed: int, ready: Prepared, tmp_path: Path) -> None:
    line = run("embedded", ready, tmp_path, seed=seed, seconds=0, per_s=PER_S, names=EMBEDDED[seed])

    assert broken_promises(line) == [], line
    assert {one["fault"] for one in line["faults"]} | line["skipped"].keys() == set(EMBEDDED[seed])


@pytest.mark.parametrize(("seed", "form"), SERVER)
def test_the_server_form_loses_and_doubles_nothing(seed: int, form: str, ready: Prepared, tmp_path: Path) -> None:
    if reason := kafka_broker.missing() or postgres_server.missing():
        pytest.skip(f"no real servers here: {reason}")

    line = run(form, ready, tmp_path, seed=seed, seconds=0, per_s=PER_S, names=SERVER[seed, form])

    assert broken_promises(line) == [], line
    assert {one["fault"] for one in line["faults"]} | line["skipped"].keys() == set(SERVER[seed, form])


def test_every_kind_of_fault_has_its_leg() -> None:
    legs = {name for names in (*EMBEDDED.values(), *SERVER.values()) for name in names}

    assert legs == set(FAULTS)
