"""Version 1 of the event: recorded events fit the published schema and give their recorded rows. Promise: P24."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
import pytest

from fhir_profiles.errors import Poisoned
from streaming import read_events
from streaming.broker import Counts
from streaming.embedded_log import EmbeddedLog
from streaming.event import Event
from tests.support.golden_events import GOLDEN, LINES, recorded, rows_of_recorded_events
from tests.support.json_schema import violations
from tests.support.made_events import FINESS

PROJECT = Path(__file__).resolve().parents[2]
SCHEMA = orjson.loads((files("streaming") / "schema" / "event-v1.json").read_bytes())


@pytest.mark.parametrize("line", LINES, ids=[str(line["offset"]) for line in LINES])
def test_recorded_events_fit_the_published_schema(line: Any) -> None:
    assert list(violations(line, SCHEMA, SCHEMA)) == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda line: line["headers"].pop("ce_id"), "$.headers.ce_id: missing"),
        (lambda line: line["headers"].update(ce_type="other"), "$.headers.ce_type: not fr.snds-gateway.bundle.v1"),
        (
            lambda line: line["value"]["entry"][0]["resource"].update(id="x"),
            "$.value.entry[0].resource.id: not allowed",
        ),
        (lambda line: line["value"]["entry"][0].update(fullUrl="x"), "$.value.entry[0].fullUrl: not allowed"),
        (lambda line: line.update(key="person|1"), "$.key: pattern"),
    ],
)
def test_the_schema_refuses_what_no_event_may_be(change: Any, place: str) -> None:
    line = orjson.loads(orjson.dumps(LINES[0]))

    change(line)

    assert list(violations(line, SCHEMA, SCHEMA)) == [place]


def test_recorded_events_give_the_recorded_rows(tmp_path: Path) -> None:
    """When a rule of the tables changes on purpose: `python scripts/record_event_rows.py`; look at the difference."""
    found = rows_of_recorded_events(tmp_path)

    assert "T_MCO24B 2" in found
    assert found == (GOLDEN / "rows.txt").read_text(encoding="utf-8").strip()


async def test_the_example_of_the_documents_builds_its_own_table(tmp_path: Path) -> None:
    page = (PROJECT / "docs" / "stream-contract.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    log = EmbeddedLog(tmp_path / "data" / "events.sqlite")
    await log.publish(list(recorded()), Counts(FINESS))
    await log.close()

    code = example.replace('Path("data")', f"Path({str(tmp_path / 'data')!r})").replace(
        ":memory:", str(tmp_path / "own.db")
    )
    assert len(example.splitlines()) <= 20
    names: dict[str, Any] = {}
    exec(code, names)

    assert names["table"].execute("SELECT count(*) > 5, count(DISTINCT code) > 1 FROM lab").fetchone() == (1, 1)
    names["table"].close()


async def test_a_consumer_goes_on_from_where_it_was(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path / "events.sqlite")
    await log.publish(list(recorded()), Counts(FINESS))
    await log.close()

    everything = list(read_events(tmp_path))
    rest = list(read_events(tmp_path, after={0: 5}))

    assert [one.offset for one in everything] == [line["offset"] for line in LINES]
    assert [one.id for one in rest] == [one.id for one in everything[5:]]
    assert everything[0].finess == FINESS
    assert everything[0].received_at.tzinfo is not None
    assert everything[0].resources[0]["resourceType"]
    assert everything[0].key not in repr(everything[0])


async def test_a_record_that_is_no_event_is_told_and_never_passed_over_in_silence(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path / "events.sqlite")
    first, second, *_ = recorded()
    broken = Event("x", first.key, first.headers, b"{")
    later = Event("y", first.key, {**first.headers, "ce_type": "fr.snds-gateway.bundle.v2"}, b"{}")
    await log.publish([first, broken, later, second], Counts(FINESS))
    await log.close()

    told: list[str] = []
    read = [one.offset for one in read_events(tmp_path, skipped=lambda _, code: told.append(code))]

    assert (read, told) == ([1, 4], ["event-json"])
    with pytest.raises(Poisoned):
        list(read_events(tmp_path))
