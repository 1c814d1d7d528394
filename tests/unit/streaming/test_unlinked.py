"""What is stored and gives no row is counted with a reason: nothing is lost silently."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from streaming.accounts import STATE
from streaming.batches import apply_batch
from streaming.dead_letter import FloodGuard
from streaming.event import Record
from streaming.postgres import PostgresConnection, PostgresEngine
from streaming.quality import measure
from streaming.state import State
from streaming.unlinked import UNLINKED, unlinked
from tests.support.made_events import (
    FINESS,
    condition,
    contracts,
    encounter,
    event,
    log_of,
    patient,
    reference,
    resource,
    rules,
    written,
)
from tests.support.servers import postgres, server
from transformers.deidentify.pseudonyms import TableKeys, random_key
from transformers.snds.person import person_rows
from transformers.snds.quarantine import COUNTS

__all__ = ["postgres", "server"]
LABORATORY = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}


def result(key: str, person: str | None, stay: str | None) -> Any:
    named: dict[str, Any] = {}
    if person is not None:
        named["subject"] = reference("Patient", "person", person)
    if stay is not None:
        named["encounter"] = reference("Encounter", "stay", stay)
    return resource(
        "Observation", key, status="final", category=[{"coding": [LABORATORY]}],
        code={"coding": [{"system": "http://loinc.org", "code": "718-7"}]}, effectiveDateTime="2024-03-02T09:00:00Z",
        **named,
    )  # fmt: skip


def act(key: str, person: str | None, stay: str) -> Any:
    named = {} if person is None else {"subject": reference("Patient", "person", person)}
    return resource("Procedure", key, status="completed", encounter=reference("Encounter", "stay", stay), **named)


def counted(data_dir: Path, *resources: Any) -> Counter[str]:
    """Apply them in one event; return every counter of the quality report, before small ones are masked."""
    log = log_of([event(*resources)])
    written(data_dir, log, rules=rules(convert=person_rows, pseudonyms=TableKeys(random_key()))).close()
    state = State(data_dir / STATE)
    found = Counter(dict(state.connection.execute("SELECT code, sum(n) FROM quality GROUP BY code")))
    found[UNLINKED] = unlinked(state.connection).get(FINESS, 0)
    state.close()
    return found


REASONS = ("waiting-patient", "waiting-stay", "coding-unlinked", UNLINKED)
KNOWN = (patient("p1", "r1"), encounter("e1", "v1", person="r1"))


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([condition("c", "I10", person="px", stay="vx")], {"coding-unlinked": 1}),
        ([act("a", "px", "vx")], {"coding-unlinked": 1}),
        ([result("o", "px", "vx")], {"waiting-patient": 1}),
        ([result("o", "px", None)], {"waiting-patient": 1}),
        ([condition("c", "I10", person=None, stay="vx")], {UNLINKED: 1}),
        ([result("o", None, "vx"), act("a", None, "vx")], {UNLINKED: 2}),
        ([result("o", None, None)], {UNLINKED: 1}),
        ([encounter("e", "vx", person=None), result("o", None, "vx")], {UNLINKED: 2}),
        ([*KNOWN, condition("c", "I10", person="r1", stay="vx")], {"coding-unlinked": 1}),
        ([*KNOWN, result("o", "r1", "vx")], {"waiting-stay": 1}),
        ([*KNOWN, condition("c", "I10", person="px", stay="v1"), result("o", "px", "v1")],
         {"coding-unlinked": 1, "waiting-patient": 1}),
    ],
)  # fmt: skip
def test_what_gives_no_row_is_counted_with_its_reason(
    resources: list[Any], expected: dict[str, int], tmp_path: Path
) -> None:
    found = counted(tmp_path, *resources)

    assert {code: number for code, number in found.items() if number and code in REASONS} == expected
    assert set(expected) <= set(COUNTS)


def test_what_a_known_stay_gives_to_its_person_is_not_among_it(tmp_path: Path) -> None:
    """By any alias of the stay, and by an Encounter without subject beside the one that has it."""
    beside = encounter("e2", "v1", "other", person=None)

    found = counted(tmp_path, *KNOWN, beside, condition("c", "I10", person=None, stay="other"), result("o", None, "v1"))

    assert found[UNLINKED] == found["coding-unlinked"] == 0


@pytest.mark.slow
def test_the_server_form_counts_the_same(postgres: PostgresConnection) -> None:
    state = State(PostgresEngine(postgres))
    beside, lost = encounter("e2", "v1", "other", person=None), encounter("e3", "vx", person=None)
    one = event(*KNOWN, beside, lost, result("a", None, "other"), result("b", None, "vx"), result("c", None, None))
    apply_batch(state, [Record(0, 1, one)], log_identity="log", contracts=contracts, flood=FloodGuard())

    found = unlinked(state.connection)
    state.close()

    assert found == {FINESS: 3}


def test_structures_and_what_was_removed_are_nobodys_and_not_missing(tmp_path: Path) -> None:
    assert counted(tmp_path, resource("Organization", "org"), resource("Medication", "med"))[UNLINKED] == 0


def test_the_quality_report_tells_them_by_hospital_and_masks_a_few(tmp_path: Path) -> None:
    counted(tmp_path, *KNOWN, *(result(f"o{number}", None, f"nobody-{number}") for number in range(11)))
    state = State(tmp_path / STATE)

    shown = told(tmp_path, state)
    state.connection.execute("DELETE FROM resource WHERE key = 'o10'")
    masked = told(tmp_path, state)
    state.close()

    assert (shown, masked) == ([11], [None])


def told(data_dir: Path, state: State) -> list[int | None]:
    report = measure(data_dir, state=state.connection)
    return [one.stays for one in report.counters if one.group == (FINESS, UNLINKED)]
