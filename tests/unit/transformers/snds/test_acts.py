"""CCAM acts: concatenations, activities, repetition the same day, acts told twice, what is left out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.deidentified import (
    EDS,
    EDSH,
    claim,
    concept,
    condition,
    converted,
    diagnosis,
    encounter,
    known_adult,
    only,
    outcome,
    procedure,
    table,
    values,
)
from transformers.snds.view import PersonRows, Staged

STAY = (encounter(), condition("I10", "DP"))


def adult(*more: Staged) -> PersonRows:
    return converted(*known_adult(*STAY, *more))


def claimed(code: str, date: str | None = None) -> dict[str, Any]:
    return {"sequence": 1, "procedureCodeableConcept": concept(EDS + "CCAM", code)} | ({"date": date} if date else {})


def item(code: str, *modifiers: str, **more: Any) -> dict[str, Any]:
    return {
        "sequence": 1,
        "category": concept(EDSH + "CodeSystem/fr-mco-claim-item-category", "0"),
        "productOrService": concept(EDSH + "CodeSystem/edsh-ccam-cs", code),
        "modifier": [concept(EDSH + "CodeSystem/modificateurs", one) for one in modifiers],
    } | more


@pytest.mark.parametrize(
    ("sent", "row"),
    [
        ("NZFA010", ("NZFA010", None, "0", "1", None)),
        ("NZFA010···01·", ("NZFA010", None, "0", "1", None)),
        ("NZFA010-0204 ", ("NZFA010", "02", "0", "4", None)),
        ("NZFA010   014", ("NZFA010", None, "0", "1", "4")),
        ("nzfa010...24.", ("NZFA010", None, "2", "4", None)),
    ],
)
def test_concatenated_codes_are_read_by_width(sent: str, row: tuple[str | None, ...]) -> None:
    [act] = table(adult(procedure(sent, "2024-01-10")), "T_MCOaaA")

    assert tuple(act[name] for name in ("CDC_ACT", "EXT_PMSI", "PHA_ACT", "ACV_ACT", "DOC_ACT")) == row


def test_an_anaesthesia_is_a_row_of_its_own() -> None:
    rows = adult(procedure("NBCA008", "2024-01-11"), procedure("NBCA008···04·", "2024-01-11", key="a"))

    assert values(table(rows, "T_MCOaaA"), "CDC_ACT", "ACV_ACT", "NBR_EXE_ACT") == [
        ("NBCA008", "1", 1),
        ("NBCA008", "4", 1),
    ]


def test_the_same_act_repeated_the_same_day_is_one_row_with_its_number() -> None:
    times = [procedure("DEQP003", f"2024-01-11T{hour:02d}:00:00+01:00") for hour in (8, 12, 18)]
    rows = adult(*times, procedure("DEQP003", "2024-01-12"))

    assert values(table(rows, "T_MCOaaA"), "ACT_ORD_NUM", "ENT_DAT_DEL", "NBR_EXE_ACT") == [(1, 1, 3), (2, 2, 1)]
    assert only(rows, "T_MCOaaB")["NBR_ACT"] == 2


def test_the_same_act_told_by_a_procedure_and_by_a_claim_is_one_act() -> None:
    summary = claim(
        diagnosis=[diagnosis(1, "DP", "I10")],
        procedure=[claimed("DEQP003···01·"), claimed("DDAF007···01·", "2024-01-12")],
        item=[item("DEQP003"), item("DDAF007")],
    )
    rows = adult(procedure("DEQP003", "2024-01-10"), summary)

    assert values(table(rows, "T_MCOaaA"), "CDC_ACT", "ENT_DAT_DEL") == [("DEQP003", 0), ("DDAF007", 2)]


def test_what_a_claim_tells_more_often_is_more_acts() -> None:
    summary = claim(procedure=[claimed("DEQP003", "2024-01-10"), claimed("DEQP003", "2024-01-12")])
    rows = adult(procedure("DEQP003", "2024-01-10"), summary)

    assert values(table(rows, "T_MCOaaA"), "ENT_DAT_DEL") == [0, 2]


def test_items_of_a_claim_carry_modifiers_and_quantities() -> None:
    [act] = table(adult(claim(stay=None, item=[item("NZFA010", "A", "7", quantity={"value": 2})])), "T_MCOaaA")

    assert (act["MOD_ACT"], act["NBR_EXE_ACT"]) == ("A7", 2)


@pytest.mark.parametrize("status", ["not-done", "entered-in-error", "in-progress", "preparation"])
def test_an_act_that_is_not_completed_is_no_act(status: str) -> None:
    assert table(adult(procedure("DEQP003", "2024-01-10", status=status)), "T_MCOaaA") == []


def test_a_code_that_is_not_ccam_is_left_out_and_counted() -> None:
    snomed = procedure("29303009", "2024-01-10", system="http://snomed.info/sct")
    rows = adult(snomed, procedure("DEQP003", "2024-01-10"))

    assert (only(rows, "T_EDSaaSEJ")["FLG_COD_REJ"], only(rows, "T_MCOaaB")["NBR_ACT"]) == (1, 1)


def test_an_act_without_a_date_or_before_the_entry_has_no_delay_and_is_counted() -> None:
    rows = adult(procedure("DEQP003"), procedure("DDAF007", "2024-01-09"))

    assert values(table(rows, "T_MCOaaA"), "CDC_ACT", "ENT_DAT_DEL") == [("DDAF007", None), ("DEQP003", None)]
    assert (outcome(rows).counts["act-without-date"], outcome(rows).counts["act-before-entry"]) == (1, 1)


def test_the_delay_of_an_act_is_in_days_of_the_calendar_in_paris() -> None:
    [act] = table(adult(procedure("DEQP003", "2024-01-10T23:30:00Z")), "T_MCOaaA")

    assert act["ENT_DAT_DEL"] == 1


def test_what_a_claim_tells_more_of_an_act_completes_the_procedure() -> None:
    told = claim(item=[item("DEQP003-01011", "U", "K", servicedDate="2024-01-11")])
    [act] = table(adult(procedure("DEQP003", "2024-01-11T09:00:00+01:00"), told), "T_MCOaaA")

    assert {name: act[name] for name in ("EXT_PMSI", "DOC_ACT", "MOD_ACT", "NBR_EXE_ACT")} == {
        "EXT_PMSI": "01", "DOC_ACT": "1", "MOD_ACT": "UK", "NBR_EXE_ACT": 1,
    }  # fmt: skip


def test_an_act_of_another_day_or_extension_is_not_completed() -> None:
    other_day = claim(item=[item("DEQP003-01011", "U", servicedDate="2024-01-12")])
    other_extension = claim(item=[item("DEQP003-02", "U", servicedDate="2024-01-11")])
    done = procedure("DEQP003-01", "2024-01-11T09:00:00+01:00")

    for told in (other_day, other_extension):
        [act] = table(adult(done, told), "T_MCOaaA")
        assert (act["EXT_PMSI"], act["MOD_ACT"]) == ("01", None)
