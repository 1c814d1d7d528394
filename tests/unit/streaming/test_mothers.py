"""A child's stay that is part of its mother's, whichever of the two comes first (DESIGN §12)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streaming.event import Event
from tests.support.made_events import condition, encounter, event, log_of, patient, reference, resource, rules, written
from transformers.snds.person import person_rows

INPATIENT = {"code": "IMP"}
PERIOD = {"start": "2024-03-01", "end": "2024-03-05"}
ROLE = [{"coding": [{"system": "https://interop.aphp.fr/ig/fhir/dm/CodeSystem/pmsi-mco-diag-type", "code": "DP"}]}]
PARENT = reference("Encounter", "stay", "mother-visit") | {
    "extension": [{"url": "urn:snds-gateway:resource", "valueString": "enc-mother"}]
}


def stay(person: str, key: str, visit: str, born: str, code: str, **more: Any) -> Event:
    """One person with one stay; the child is three years old, so that nothing but its mother tells what it is."""
    return event(
        patient(f"pat-{person}", person, gender="female", birthDate=born),
        resource(
            "Basic", f"fact-{person}", code={"coding": [{"system": "urn:snds-gateway:fact", "code": "person"}]},
            subject=reference("Patient", "person", person),
            identifier=[{"system": "urn:snds-gateway:psa", "value": f"psa-{person}"}],
        ),
        encounter(key, visit, person=person, period=PERIOD, **{"class": INPATIENT}, **more),
        condition(f"cond-{person}", code, person=person, stay=visit, category=ROLE),
    )  # fmt: skip


MOTHER = stay("mother", "enc-mother", "mother-visit", "1990-01", "O800")
CHILD = stay("child", "enc-child", "child-visit", "2020-11", "J219", partOf=PARENT)


@pytest.mark.parametrize("events", [(CHILD, MOTHER), (MOTHER, CHILD)], ids=["child first", "mother first"])
def test_a_child_of_another_subject_is_a_stay_and_no_unit(tmp_path: Path, events: tuple[Event, ...]) -> None:
    writer = written(tmp_path / "data", log_of(events), rules=rules(convert=person_rows))
    try:
        rows = writer.sink.query("SELECT DGN_PAL, NBR_RUM FROM T_MCO24B ORDER BY ALL")
    finally:
        writer.close()

    assert rows == [("J219", 1), ("O800", 1)]


def test_a_unit_whose_stay_is_unknown_still_waits(tmp_path: Path) -> None:
    writer = written(tmp_path / "data", log_of([CHILD]), rules=rules(convert=person_rows))
    try:
        assert "T_MCO24B" not in writer.sink.published_tables()
        assert writer._state.connection.execute("SELECT status, reason FROM stay").fetchall() == [
            ("quarantined", "parent-unknown")
        ]
    finally:
        writer.close()
