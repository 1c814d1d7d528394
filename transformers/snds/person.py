"""One person's current resources → every row of the person: a pure function, whatever the order of arrival.

In: a `PersonView`. Out: outcomes of stays, rows by physical table, exits, counters. Never: an effect but asking for
the durable number of a stay. Promise: P5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from transformers.contract import Contract
from transformers.snds.beneficiary import Beneficiary, beneficiary, beneficiary_row
from transformers.snds.births import birth
from transformers.snds.clinical import clinical_rows
from transformers.snds.contents import gather
from transformers.snds.course import Course, find_course, placing_of
from transformers.snds.dispensing import dispense_days, dispensing_rows
from transformers.snds.expensive_drugs import expensive_rows
from transformers.snds.external import external_claims, external_rows
from transformers.snds.mco import StayRow, geographic_finess, mco_rows
from transformers.snds.passages import passage, stay_modes
from transformers.snds.placing import ClinicalRows, Placing
from transformers.snds.reference import NO_REFERENCE, Reference
from transformers.snds.schema import physical_name
from transformers.snds.stay_sheet import group_incomplete, stay_sheet
from transformers.snds.stays import Judge
from transformers.snds.structures import Structures
from transformers.snds.view import PersonRows, PersonView, Row, RsaNumbers, StayOutcome, TablePseudonyms
from transformers.snds.visits import find_visits

CLINICAL = frozenset({"Observation", "MedicationRequest", "MedicationAdministration", "MedicationDispense"})


def person_rows(
    view: PersonView,
    *,
    contract: Contract,
    pseudonyms: TablePseudonyms,
    numbers: RsaNumbers,
    reference: Reference = NO_REFERENCE,
) -> PersonRows:
    """Return every row of one person. `numbers` gives a stay its RSA_NUM, once for ever."""
    person = beneficiary(view.resources, pseudonyms)
    structures = Structures(view.structures, contract, reference.legal_entities)
    visits = find_visits(view.resources)
    contents, unlinked = gather(view.resources, visits, severity=contract.severity_codes)
    judge = Judge(contract, structures, person, reference)
    course = find_course(visits, contents, judge)
    if person is None:
        waiting = sum(one.type in CLINICAL for one in view.resources)
        return PersonRows(_outcomes(course, {}), {}, (), _counted({**unlinked, "waiting-patient": waiting}))
    written = _numbered(course, person, judge=judge, numbers=numbers)
    sheet = Sheet(view, person, judge, course, written, pseudonyms, placing_of(course, written))
    tables, counts = _tables(sheet, numbers=numbers)
    return PersonRows(
        stays=_outcomes(course, written),
        tables={name: tuple(rows) for name, rows in tables.items()},
        exits=tuple((one.stay.year, one.stay.exit.day.month) for one in written.values()),
        counts=_counted({**counts, **unlinked}),
    )


@dataclass(frozen=True, slots=True, repr=False)
class Sheet:
    """Everything that the rows of a person are written from."""

    view: PersonView
    person: Beneficiary
    judge: Judge
    course: Course
    written: Mapping[str, StayRow]
    pseudonyms: TablePseudonyms
    placing: Placing

    def __repr__(self) -> str:
        return f"Sheet({len(self.written)} stays)"


def _tables(sheet: Sheet, *, numbers: RsaNumbers) -> tuple[dict[str, list[Row]], Counter[str]]:
    """Return physical table → rows, and quality counters: clinical events, stays, visits, the person, dispenses."""
    view, person, judge, placing = sheet.view, sheet.person, sheet.judge, sheet.placing
    contract, reference, pseudonyms = judge.contract, judge.reference, sheet.pseudonyms
    clinical = clinical_rows(
        view,
        placing=placing,
        contract=contract,
        pseudonyms=pseudonyms,
        nir_ano_17=person.nir_ano_17,
        reference=reference,
    )
    tables: dict[str, list[Row]] = {name: list(rows) for name, rows in clinical.tables.items() if rows}
    for one in sheet.written.values():
        _add_stay(tables, one, clinical, structures=judge.structures, pseudonyms=pseudonyms)
    tables |= external_rows(
        sheet.course.outpatients,
        external_claims(view.resources, sheet.course.visits),
        person,
        contract=contract,
        structures=judge.structures,
        pseudonyms=pseudonyms,
        numbers=numbers,
    )
    days = dispense_days(view, placing=placing)
    row = _beneficiary(tables, person, list(sheet.written.values()), contract=contract, dispensed=days)
    if row is not None:
        tables["IR_BEN_R"] = [row]
    expensive = expensive_rows(view, placing=placing, contract=contract, reference=reference)
    dispensed = dispensing_rows(
        view, row, placing=placing, contract=contract, pseudonyms=pseudonyms, birth=person.birth, reference=reference
    )
    counts = Counter(clinical.counts)
    for found in (expensive, dispensed):
        counts.update(found.counts)
        for name, rows in found.tables.items():
            tables.setdefault(name, []).extend(rows)
    return tables, counts


def _counted(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in counts.items() if number}


def _numbered(course: Course, person: Beneficiary, *, judge: Judge, numbers: RsaNumbers) -> dict[str, StayRow]:
    """Return visit key → the stay with its number and modes, in the order of entries."""
    stays = [verdict.stay for verdict in course.verdicts.values() if verdict.stay is not None]
    stays.sort(key=lambda stay: (stay.entry.day, stay.exit.day, stay.visit.key))
    found: dict[str, StayRow] = {}
    for stay in stays:
        entry, left = stay_modes(
            stay, person=person, contract=judge.contract, structures=judge.structures, layouts=judge.reference.layouts
        )
        number = numbers(stay.visit.key, stay.year)
        found[stay.visit.key] = StayRow(stay, number, entry, left, birth(stay), person, judge.contract, judge.reference)
    return found


def _add_stay(
    tables: dict[str, list[Row]],
    one: StayRow,
    clinical: ClinicalRows,
    *,
    structures: Structures,
    pseudonyms: TablePseudonyms,
) -> None:
    stay = one.stay
    for name, rows in mco_rows(one, pseudonyms).items():
        if rows:
            tables.setdefault(physical_name(name, stay.year), []).extend(rows)
    through = passage(stay, one.contract, structures)
    outside = clinical.outside.get(stay.visit.key, 0)
    tables.setdefault(physical_name("T_EDSaaSEJ", stay.year), []).append(
        stay_sheet(one, passage=through, outside=outside)
    )


def _beneficiary(
    tables: Mapping[str, Sequence[Row]],
    person: Beneficiary,
    written: Sequence[StayRow],
    *,
    contract: Contract,
    dispensed: Sequence[date],
) -> Row | None:
    """Return the row of `IR_BEN_R` of a person of whom any care is written."""
    if not tables and not dispensed:
        return None
    care = [day for one in written for day in (one.stay.entry.day, one.stay.exit.day)]
    died = [one.stay.exit.day for one in written if one.exit_mode.mode == "9"]
    return beneficiary_row(person, contract=contract, care=[*care, *dispensed], death_at_exit=max(died, default=None))


def _stay_counts(one: StayRow, written: Mapping[str, StayRow]) -> Mapping[str, int]:
    """Return the quality counters of a written stay that have no column."""
    stay = one.stay
    counts = Counter(stay.counts)
    counts.update((*one.entry_mode.counts, *one.exit_mode.counts))
    counts["geographic-finess-default"] += sum(geographic_finess(unit, one.contract) is None for unit in stay.units)
    counts["ghm-incomplete"] += group_incomplete(one)
    counts["readmission-same-day"] += any(
        other is not one
        and other.stay.exit.day == stay.entry.day
        and (other.stay.entry.day, other.stay.visit.key) < (stay.entry.day, stay.visit.key)
        for other in written.values()
    )
    return _counted(counts)


def _outcomes(course: Course, written: Mapping[str, StayRow]) -> tuple[StayOutcome, ...]:
    found = []
    for visit in course.visits.visits:
        verdict = course.verdicts[visit.key]
        one = written.get(visit.key)
        found.append(
            StayOutcome(
                key=visit.key,
                status=verdict.status,
                exit_year=one.stay.year if one else None,
                rsa_num=one.rsa_num if one else None,
                reason=verdict.reason,
                counts=_stay_counts(one, written) if one else verdict.counts,
            )
        )
    return tuple(found)
