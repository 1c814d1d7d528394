"""What metrics tell of patients' data goes through `streaming.aggregates`: in steps of 11, never a few.

A code, a rule or a status of stays counts persons' data; sums without them (requests, entries, events) stay exact,
and the alerts ask those.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from fhir_profiles.issues import issue
from gateway.account_metrics import Accounts
from gateway.admission import Admission, Bounds
from gateway.decision import Decision
from gateway.metric_names import METRICS, PREFIX, STEPPED
from gateway.metrics import MULTIPROCESS_DIR, Metrics
from streaming.accounts import Status, Stays
from streaming.aggregates import MINIMUM, stepped
from streaming.broker import Counts

PROJECT = Path(__file__).resolve().parents[3]
FINESS = "750712184"
WORKER = """
import sys
from gateway.decision import Decision
from streaming.broker import Counts
from tests.unit.gateway.test_masked_metrics import FINESS, of_a_worker
metrics = of_a_worker()
for _ in range(int(sys.argv[1])):
    metrics.taken(Decision(Counts(FINESS), dropped={"note": 1}))
sys.stdout.buffer.write(metrics.exposition(None))
"""


def of_a_worker() -> Metrics:
    return Metrics(Admission(Bounds(10, 1_000_000)))


def refused(code: str) -> Decision:
    return Decision(Counts(FINESS, 1, 1), entries=1, entry_issues={0: (issue(code),)}, refused=frozenset({0}))


def samples(text: bytes) -> Mapping[str, float]:
    found = re.findall(rf"^{PREFIX}(\S+) (\S+)$", text.decode(), re.MULTILINE)
    return {name: float(value) for name, value in found}


def accounts_with(stays: Stays) -> Mapping[str, float]:
    registry = CollectorRegistry()
    now = Status(received=9, refused=2, suppressed=3, published=4, events=7, dead_letters=1, stays=stays)
    registry.register(Accounts(lambda: now))
    return samples(generate_latest(registry))


@pytest.mark.parametrize(("number", "shown"), [(0, 0), (1, 0), (10, 0), (11, 11), (21, 11), (22, 22), (1_000, 990)])
def test_a_counter_that_is_read_again_and_again_moves_in_steps_of_the_threshold(number: int, shown: int) -> None:
    assert stepped(number) == shown


def test_no_two_readings_of_a_counter_differ_by_a_few() -> None:
    readings = [stepped(number) for number in range(200)]

    assert not {later - earlier for earlier, later in itertools.pairwise(readings)} - {0, MINIMUM}


def test_a_code_shows_once_it_counts_eleven_and_entries_are_counted_exactly() -> None:
    metrics = of_a_worker()
    seen = []
    for _ in range(23):
        metrics.taken(refused("leak-suspected"))
        seen.append(samples(metrics.exposition(None)))

    by_code = [one.get('refusals_total{code="leak-suspected"}') for one in seen]
    assert by_code == [None] * 10 + [11.0] * 11 + [22.0] * 2
    assert [one['entries_total{outcome="refused"}'] for one in seen] == list(range(1, 24))


def test_a_code_or_rule_under_eleven_is_named_nowhere_not_even_by_the_time_of_its_first_one() -> None:
    metrics = of_a_worker()
    for _ in range(10):
        metrics.taken(Decision(Counts(FINESS), dropped={"note": 1}))
        metrics.taken(refused("leak-suspected"))

    text = metrics.exposition(None)

    assert b"note" not in text
    assert b"leak-suspected" not in text
    metrics.taken(Decision(Counts(FINESS), dropped={"note": 12}))
    assert samples(metrics.exposition(None))['dropped_total{rule="note"}'] == 22


def test_what_is_suppressed_is_counted_as_the_hospital_is_told_accepted() -> None:
    """A number of suppressed entries that grows by one says when data of somebody who objected came."""
    metrics = of_a_worker()
    metrics.taken(Decision(Counts(FINESS, received=5, refused=1, suppressed=1, published=3)))

    found = samples(metrics.exposition(None))

    assert found['entries_total{outcome="accepted"}'] == 4
    assert found['entries_total{outcome="refused"}'] == 1
    assert b"suppressed" not in metrics.exposition(None)


def test_workers_are_added_up_before_their_counts_are_stepped(tmp_path: Path) -> None:
    """Six of one worker and six of another are eleven and one."""
    own = os.environ | {MULTIPROCESS_DIR: str(tmp_path)}
    done = [
        subprocess.run([sys.executable, "-c", WORKER, "6"], cwd=PROJECT, env=own, capture_output=True, check=True)
        for _ in range(2)
    ]

    assert ['dropped_total{rule="note"}' in samples(one.stdout) for one in done] == [False, True]
    assert samples(done[1].stdout)['dropped_total{rule="note"}'] == 11


def test_stays_are_told_in_steps_and_each_status_is_always_there() -> None:
    text = accounts_with(Stays(open=10, written=340, quarantined=25, suppressed=3))

    assert {name: value for name, value in text.items() if name.startswith("stays")} == {
        'stays{status="open"}': 0,
        'stays{status="written"}': 330,
        'stays{status="quarantined"}': 22,
        'stays{status="suppressed"}': 0,
    }


def test_the_accounts_of_entries_and_events_stay_exact_and_close() -> None:
    text = accounts_with(Stays())

    assert text['accounted_entries{outcome="received"}'] == 9
    assert text['accounted_entries{outcome="refused"}'] == 2
    assert text['accounted_entries{outcome="accepted"}'] == 7
    assert text["dead_letters"] == 1


def test_whatever_is_labelled_by_code_rule_or_status_of_stays_is_stepped_and_no_alert_counts_its_steps() -> None:
    """An alert that looks for one more (`increase`, `rate`, `== 1`) asks for exact counts; a share may use steps."""
    rules = yaml.safe_load((PROJECT / "deploy" / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    asked = {rule["alert"]: rule["expr"] for group in rules["groups"] for rule in group["rules"]}
    stepping = {name: expr for name, expr in asked.items() if any(PREFIX + one in expr for one in STEPPED)}

    assert set(STEPPED) == {"refusals_total", "dropped_total", "stays"} < set(METRICS)
    assert set(stepping) == {"ManyInQuarantine"}
    assert "increase" not in stepping["ManyInQuarantine"]
