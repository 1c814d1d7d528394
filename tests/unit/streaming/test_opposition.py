"""A person who objected is out: of state, rows, log, dead letters and files, and stays out. Promise: P18."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fhir_profiles.errors import PipelineError, Unavailable
from streaming import sqlite
from streaming.accounts import status
from streaming.broker import Counts
from streaming.digest import digest
from streaming.embedded_log import EmbeddedConsumer, EmbeddedLog, erase
from streaming.erasure import effect
from streaming.event import Event
from streaming.naming import keys_of, keys_of_act
from streaming.opposition import PLATFORM, Act
from streaming.rebuild import rebuild
from streaming.register import EmbeddedRegister
from streaming.state import State
from streaming.store import EmbeddedStore
from streaming.table_writer import Pace, TableWriter
from tests.support.made_events import (
    FINESS,
    OTHER,
    condition,
    encounter,
    event,
    identified,
    patient,
    raw_event,
    reference,
    resource,
    rules,
)
from transformers.contract import Contract

BEGUN = "2026-01-01T00:00:00+00:00"
MARK = "ZZ99MARK"


class Died(BaseException):
    """Like a kill: nothing catches it."""


def fact(key: str, person: str, *, ano: str | None = None, psa: str | None = None, rank: int | None = None) -> Any:
    identifiers = [*(identified("ano", ano) if ano else ()), *(identified("psa", psa) if psa else ())]
    extension = [{"url": "urn:snds-gateway:twin-rank", "valuePositiveInt": rank}] if rank else []
    return resource(
        "Basic", key, identifier=identifiers, subject=reference("Patient", "person", person), extension=extension,
        code={"coding": [{"system": "urn:snds-gateway:fact", "code": "person"}]},
    )  # fmt: skip


def person(number: int, *extra: Any, finess: str = FINESS, named: str | None = None, **known: Any) -> Event:
    """Return one stay of one person; `known` are the identifiers of its fact."""
    alias, visit = f"rest-{number}", f"visit-{number}"
    return event(
        patient(f"pat-{number}", alias),
        fact(f"fact-{number}", alias, **({"ano": f"ano-{number}"} | known)),
        encounter(f"enc-{number}", visit, person=alias),
        condition(f"c-{number}", f"{MARK}{number}", person=alias, stay=visit),
        *extra,
        finess=finess,
        named=named,
    )


def act(
    *keys: tuple[str, str, str],
    finess: str = FINESS,
    kind: Any = "opposition",
    ended: str | None = None,
    number: int = 1,
) -> Act:
    return Act(f"act-{number}", kind, finess, "request", BEGUN, ended, frozenset(keys))


OBJECTED = act(("ano", "", "ano-2"))


async def publish(data_dir: Path, *events: Event) -> None:
    log = EmbeddedLog(data_dir / "events.sqlite")
    await log.publish(list(events), Counts(FINESS, received=len(events), published=len(events)))
    await log.close()


def apply(data_dir: Path, *acts: Act, at: Callable[[str], None] = lambda _: None, **changes: Any) -> str:
    """Keep acts, run a writer over everything, and return the digest of the tables."""
    register = EmbeddedRegister(data_dir / "events.sqlite")
    for one in acts:
        register.keep(one)
    consumer = EmbeddedConsumer(data_dir / "events.sqlite")
    writer = TableWriter(
        data_dir, consumer=consumer, rules=rules(**changes), pace=Pace(coalesce_s=0.0), register=register, at=at,
        erase_log=lambda named: erase(data_dir / "events.sqlite", named),
    )  # fmt: skip
    try:
        writer.drain()
        return digest(writer.sink)
    finally:
        writer.close()
        consumer.close()
        register.close()


def codes(data_dir: Path) -> list[str]:
    with duckdb.connect(str(data_dir / "lake" / "snds.duckdb"), read_only=True) as lake:
        if lake.execute("SELECT 1 FROM duckdb_views() WHERE view_name = 'T_MCO24B'").fetchone() is None:
            return []
        return [code for (code,) in lake.execute("SELECT DGN_PAL FROM T_MCO24B ORDER BY 1").fetchall()]


def files_with(data_dir: Path, text: str) -> list[str]:
    return [path.name for path in data_dir.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


async def test_after_an_opposition_no_row_no_resource_no_event_and_no_byte_is_left(tmp_path: Path) -> None:
    await publish(tmp_path, person(1), person(2), person(3))
    apply(tmp_path)
    assert set(files_with(tmp_path, f"{MARK}2")) >= {"events.sqlite", "tables.duckdb"}

    apply(tmp_path, OBJECTED)

    assert codes(tmp_path) == [f"{MARK}1", f"{MARK}3"]
    assert files_with(tmp_path, f"{MARK}2") == files_with(tmp_path, "pat-2") == []
    assert files_with(tmp_path, f"{MARK}1") != []
    found = status(tmp_path)
    assert (found.stays.written, found.stays.suppressed, found.lag, found.idle) == (2, 1, 0, True)
    state = State(tmp_path / "ops.sqlite")
    done = effect(state.connection, "act-1")
    state.close()
    assert done is not None
    assert (done.resources, done.rows, done.done_at is not None) == (4, 2, True)


async def test_the_tables_are_those_of_a_run_that_never_knew_the_person(tmp_path: Path) -> None:
    await publish(tmp_path / "never", person(1, named="1"), person(3, named="3"))
    never = apply(tmp_path / "never")
    await publish(tmp_path / "before", person(1, named="1"), person(2, named="2"), person(3, named="3"))

    assert apply(tmp_path / "before", OBJECTED) == never
    apply(tmp_path / "before")
    await publish(tmp_path / "after", person(1, named="1"), person(2, named="2"), person(3, named="3"))
    apply(tmp_path / "after")
    assert apply(tmp_path / "after", OBJECTED) == never


async def test_what_is_sent_again_stays_out_and_is_counted_and_not_stored(tmp_path: Path) -> None:
    await publish(tmp_path, person(2))
    apply(tmp_path, OBJECTED)

    await publish(tmp_path, person(2, named="again"))
    apply(tmp_path)

    assert set(files_with(tmp_path, "pat-2")) <= {"events.sqlite"}  # where the gateway would not have put it
    assert status(tmp_path).applied == 2
    assert status(tmp_path).stays.written == 0


async def test_aliases_that_come_late_are_learnt_and_recognised_alone(tmp_path: Path) -> None:
    await publish(tmp_path, person(2))
    apply(tmp_path, OBJECTED)

    await publish(tmp_path, event(patient("pat-2", "rest-2", "ipp-2"), named="late"))
    apply(tmp_path)
    await publish(tmp_path, event(patient("pat-2b", "ipp-2"), encounter("enc-9", "visit-9", person="ipp-2")))
    await publish(tmp_path, event(condition("c-9", f"{MARK}9", person=None, stay="visit-2"), named="stay alone"))
    apply(tmp_path)

    state = State(tmp_path / "ops.sqlite")
    kept = state.connection.execute("SELECT count(*) FROM resource").fetchone()
    state.close()
    assert kept == (0,)


async def test_a_person_known_by_local_keys_is_found_with_all_its_aliases(tmp_path: Path) -> None:
    await publish(tmp_path, person(1), person(2), event(patient("pat-x", "rest-2", "ipp-2")))
    apply(tmp_path)

    apply(tmp_path, act(("person", FINESS, "ipp-2")))

    assert codes(tmp_path) == [f"{MARK}1"]


async def test_one_twin_objects_and_the_other_stays(tmp_path: Path) -> None:
    first, second = ({"ano": None, "psa": "psa-t", "rank": rank} for rank in (1, 2))
    await publish(tmp_path, person(1, **first), person(2, **second))
    apply(tmp_path)

    apply(tmp_path, act(("psa", "", "psa-t|2")))

    assert codes(tmp_path) == [f"{MARK}1"]


def age_fact(key: str, person: str, *, days: int) -> Any:
    return resource(
        "Basic", key, subject=reference("Patient", "person", person),
        code={"coding": [{"system": "urn:snds-gateway:fact", "code": "age"}]},
        extension=[{"url": "urn:snds-gateway:age-days", "valueUnsignedInt": days}],
    )  # fmt: skip


async def test_a_known_newborn_that_shares_its_mothers_stay_is_not_taken_for_her(tmp_path: Path) -> None:
    born = event(patient("pat-b", "rest-b"), encounter("enc-b", "visit-2", person="rest-b"))
    await publish(tmp_path, person(2), born)
    apply(tmp_path)
    apply(tmp_path, OBJECTED)

    await publish(tmp_path, event(condition("c-b", f"{MARK}B", person="rest-b", stay="visit-2"), at=5))
    apply(tmp_path)

    assert codes(tmp_path) == [f"{MARK}B"]


async def test_who_was_never_heard_of_and_has_the_stay_of_an_opposed_person_is_taken_for_it(tmp_path: Path) -> None:
    await publish(tmp_path, person(2))
    apply(tmp_path, OBJECTED)

    await publish(
        tmp_path,
        event(condition("c-9", f"{MARK}9", person="lab-77", stay="visit-2")),
        event(patient("pat-77", "lab-77"), encounter("enc-77", "visit-2", person="lab-77")),
    )
    apply(tmp_path)

    state = State(tmp_path / "ops.sqlite")
    kept = state.connection.execute("SELECT count(*) FROM resource").fetchone()
    state.close()
    assert kept == (0,)
    assert files_with(tmp_path, "lab-77") == []  # not even in the register: it may be somebody else


@pytest.mark.parametrize(
    "mark",
    [
        age_fact("age-b", "rest-b", days=1),
        fact("fact-b", "rest-b", ano="ano-b"),
        fact("f-b", "rest-b", psa="p", rank=2),
    ],
    ids=["newborn", "another number", "another twin rank"],
)
async def test_what_shows_another_person_in_the_stay_of_an_opposed_one_lets_it_in(mark: Any, tmp_path: Path) -> None:
    await publish(tmp_path, person(2))
    apply(tmp_path, act(("ano", "", "ano-2"), ("psa", "", "p|1")))

    await publish(tmp_path, event(patient("pat-b", "rest-b"), encounter("enc-b", "visit-2", person="rest-b"), mark))
    apply(tmp_path)
    await publish(tmp_path, event(condition("c-b", f"{MARK}B", person="rest-b", stay="visit-2"), at=5))
    await publish(tmp_path, person(2, named="again"))
    apply(tmp_path)

    assert codes(tmp_path) == [f"{MARK}B"]


async def test_a_stay_told_before_under_a_name_without_a_patient_goes_with_the_person(tmp_path: Path) -> None:
    stub = event(encounter("enc-77", "visit-2", person="lab-77"), condition("c-9", f"{MARK}9", person="lab-77"))
    await publish(tmp_path, person(2), stub)
    apply(tmp_path)

    apply(tmp_path, OBJECTED)

    assert files_with(tmp_path, "lab-77") == ["events.sqlite"]  # the register knows the name from now on
    assert files_with(tmp_path, f"{MARK}9") == []


async def test_an_opposed_newborn_takes_neither_its_twin_nor_its_mother_out(tmp_path: Path) -> None:
    twins = [
        event(
            patient(f"pat-{rank}", f"baby-{rank}", multipleBirthInteger=rank),
            encounter(f"enc-{rank}", "visit-2", f"own-{rank}", person=f"baby-{rank}"),
            condition(f"c-{rank}", f"{MARK}{rank}", person=f"baby-{rank}", stay=f"own-{rank}"),
            age_fact(f"age-{rank}", f"baby-{rank}", days=1),
        )
        for rank in (1, 2)
    ]
    await publish(tmp_path, person(3), twins[0])
    apply(tmp_path)
    apply(tmp_path, act(("person", FINESS, "baby-1")))

    await publish(tmp_path, twins[1], person(2))
    apply(tmp_path)

    assert codes(tmp_path) == [f"{MARK}2", f"{MARK}3"]


async def test_after_the_withdrawal_the_person_is_taken_again(tmp_path: Path) -> None:
    await publish(tmp_path, person(2))
    apply(tmp_path, OBJECTED)

    await publish(tmp_path, person(2, named="again"))
    apply(tmp_path, act(("ano", "", "ano-2"), ended="2026-02-01T00:00:00+00:00"))

    assert codes(tmp_path) == [f"{MARK}2"]


async def test_an_act_of_one_hospital_leaves_the_others_and_one_of_the_platform_does_not(tmp_path: Path) -> None:
    await publish(tmp_path, person(2, ano="ano-2"), person(3, finess=OTHER, ano="ano-2"))
    apply(tmp_path)

    apply(tmp_path, OBJECTED)
    here = codes(tmp_path)
    apply(tmp_path, act(("ano", "", "ano-2"), finess=PLATFORM, number=2))

    assert (here, codes(tmp_path)) == ([f"{MARK}3"], [])


async def test_under_a_public_mission_rows_stay_in_the_store_and_leave_the_lake(tmp_path: Path) -> None:
    def contracts(finess: str) -> Contract:
        return Contract(finess=finess, legal_basis="public-mission")

    await publish(tmp_path, person(1), person(2))
    apply(tmp_path, contracts=contracts)

    apply(tmp_path, OBJECTED, contracts=contracts)
    hidden = codes(tmp_path)
    with duckdb.connect(str(tmp_path / "tables.duckdb"), read_only=True) as store:
        stored = store.execute("SELECT count(*) FROM rows.T_MCO24B").fetchone()
    apply(tmp_path, act(("ano", "", "ano-2"), ended="2026-02-01T00:00:00+00:00"), contracts=contracts)

    assert (hidden, stored) == ([f"{MARK}1"], (2,))
    assert codes(tmp_path) == [f"{MARK}1", f"{MARK}2"]


async def test_hidden_rows_stay_hidden_after_a_rebuild_and_when_persons_turn_out_to_be_one(tmp_path: Path) -> None:
    def contracts(finess: str) -> Contract:
        return Contract(finess=finess, legal_basis="public-mission")

    await publish(tmp_path, person(1), person(2), person(3))
    apply(tmp_path, OBJECTED, contracts=contracts)

    rebuild(tmp_path, rules=rules(contracts=contracts))
    rebuilt = codes(tmp_path)
    await publish(tmp_path, event(patient("pat-3", "rest-3", "rest-2"), at=9))
    apply(tmp_path, contracts=contracts)

    assert rebuilt == [f"{MARK}1", f"{MARK}3"]
    assert codes(tmp_path) == [f"{MARK}1"]


async def test_an_erasure_removes_under_a_public_mission_too(tmp_path: Path) -> None:
    def contracts(finess: str) -> Contract:
        return Contract(finess=finess, legal_basis="public-mission")

    await publish(tmp_path, person(1), person(2))
    apply(tmp_path, contracts=contracts)

    apply(tmp_path, act(("ano", "", "ano-2"), kind="erasure"), contracts=contracts)

    assert codes(tmp_path) == [f"{MARK}1"]
    assert files_with(tmp_path, f"{MARK}2") == []


async def test_dead_letters_of_the_person_go_too(tmp_path: Path) -> None:
    broken = raw_event(person(2).value, finess="999999999")
    await publish(
        tmp_path,
        person(1),
        person(2, {**condition("c-x", "X", person="rest-2", stay="visit-2"), "explode": True}),
        broken,
    )
    apply(tmp_path)
    before = status(tmp_path).dead_letters

    apply(tmp_path, OBJECTED)

    assert (before, status(tmp_path).dead_letters) == (2, 1)  # the one of an unknown hospital is nobody's to remove


@pytest.mark.parametrize("point", ["removed", "planned", "written", "settled", "purged"])
async def test_dying_in_the_middle_of_an_erasure_is_finished_by_the_next_start(point: str, tmp_path: Path) -> None:
    await publish(tmp_path, person(1), person(2))
    apply(tmp_path)

    def die(label: str) -> None:
        if label == point:
            raise Died

    with pytest.raises(Died):
        apply(tmp_path, OBJECTED, at=die)
    apply(tmp_path)

    assert codes(tmp_path) == [f"{MARK}1"]
    assert files_with(tmp_path, f"{MARK}2") == []


async def test_files_are_written_anew_once_for_many_acts_and_not_at_all_for_nothing(tmp_path: Path) -> None:
    await publish(tmp_path, *(person(number) for number in range(1, 6)))
    apply(tmp_path)
    steps: list[str] = []
    apply(tmp_path, *(act(("ano", "", f"ano-{one}"), number=one) for one in range(1, 5)), at=steps.append)
    written = (tmp_path / "tables.duckdb").stat().st_ino

    register = EmbeddedRegister(tmp_path / "events.sqlite")
    register.learn("act-1", {("stay", FINESS, "visit-99")})  # somebody who is out has a new stay
    register.close()
    apply(tmp_path)

    assert codes(tmp_path) == [f"{MARK}5"]
    assert (steps.count("removed"), steps.count("purged")) == (4, 1)
    assert (tmp_path / "tables.duckdb").stat().st_ino == written


async def test_an_act_that_comes_while_another_is_carried_out_is_carried_out_too(tmp_path: Path) -> None:
    await publish(tmp_path, person(1), person(2), person(3))
    apply(tmp_path)
    others = [act(("ano", "", "ano-3"), number=3)]

    def keep_another(label: str) -> None:
        if label == "purged" and others:
            register = EmbeddedRegister(tmp_path / "events.sqlite")
            register.keep(others.pop())
            register.close()

    apply(tmp_path, OBJECTED, at=keep_another)

    assert codes(tmp_path) == [f"{MARK}1"]
    assert status(tmp_path).idle


async def test_an_act_is_not_done_while_a_reader_keeps_the_log_from_being_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(tmp_path, person(1), person(2))
    apply(tmp_path)
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 20)
    reader = sqlite.connect_read_only(tmp_path / "events.sqlite")

    with sqlite.snapshot(reader):
        reader.execute("SELECT count(*) FROM event").fetchone()
        with pytest.raises(Unavailable):
            apply(tmp_path, OBJECTED)
        state = State(tmp_path / "ops.sqlite")
        begun = effect(state.connection, "act-1")
        state.close()
    reader.close()
    apply(tmp_path)

    assert begun is not None
    assert begun.done_at is None
    assert files_with(tmp_path, f"{MARK}2") == files_with(tmp_path, "pat-2") == []


async def test_the_log_keeps_its_offsets_and_stays_readable(tmp_path: Path) -> None:
    await publish(tmp_path, person(1), person(2), person(3))

    apply(tmp_path, OBJECTED)

    consumer = EmbeddedConsumer(tmp_path / "events.sqlite")
    read = [(record.offset, record.event.key) for record in consumer.tail(0, 0)]
    consumer.close()
    assert read == [(1, "person|rest-1"), (2, f"structure|{FINESS}"), (3, "person|rest-1")]
    EmbeddedStore(tmp_path).close()


def test_an_act_is_about_one_person_that_can_be_told_from_others() -> None:
    one = [patient("pat-1", "rest-1"), fact("f", "rest-1", ano="a", psa="p", rank=2)]

    assert keys_of_act(FINESS, one) == {("person", FINESS, "rest-1"), ("ano", "", "a"), ("psa", "", "p|2")}
    assert keys_of(FINESS, [fact("f", "rest-1", psa="p")]) == {("person", FINESS, "rest-1")}  # never psa alone
    for wrong in ([], [*one, patient("pat-2", "rest-2")], [resource("Patient", "pat-3")]):
        with pytest.raises(PipelineError):
            keys_of_act(FINESS, wrong)
    assert "rest-1" not in repr(act(("person", FINESS, "rest-1")))
