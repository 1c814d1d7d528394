"""One person's current resources → every row of the person: a pure function, whatever the order of arrival.

In: a `PersonView`. Out: outcomes of stays, rows by physical table, exits, counters. Never: an effect but asking for
the durable number of a stay. Promise: P6.
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
from transformers.snds.contents import Content, gather
from transformers.snds.dispensing import dispense_days, dispensing_rows
from transformers.snds.elements import Json
from transformers.snds.emergencies import joined_admissions
from transformers.snds.expensive_drugs import expensive_rows
from transformers.snds.mco import StayRow, geographic_finess, mco_rows
from transformers.snds.passages import passage, stay_modes
from transformers.snds.placing import NO_STAY, ClinicalRows, Place, Placing
from transformers.snds.reference import NO_REFERENCE, Reference
from transformers.snds.schema import physical_name
from transformers.snds.stay_sheet import group_incomplete, stay_sheet
from transformers.snds.stays import Judge, Verdict, is_emergency, is_stay
from transformers.snds.structures import Structures
from transformers.snds.view import PersonRows, PersonView, Row, RsaNumbers, StayOutcome, TablePseudonyms
from transformers.snds.visits import Visit, Visits, find_visits

NO_STAY_OF_ITS_OWN = Verdict("none")
CLINICAL = frozenset({"Observation", "MedicationRequest", "MedicationAdministration", "MedicationDispense"})


@dataclass(frozen=True, slots=True, repr=False)
class Course:
    """The visits of a person, what each one is, and which emergency visits led to which admission."""

    visits: Visits
    contents: Mapping[str, Content]
    verdicts: Mapping[str, Verdict]
    joined: Mapping[str, Visit]

    def __repr__(self) -> str:
        return f"Course({len(self.verdicts)} visits)"


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
    structures = Structures(view.structures, contract.finess, reference.legal_entities)
    visits = find_visits(view.resources)
    contents, unlinked = gather(view.resources, visits, severity=contract.severity_codes)
    judge = Judge(contract, structures, person, reference)
    course = _course(visits, contents, judge)
    counts = Counter({"claim-unlinked": unlinked} if unlinked else {})
    if person is None:
        waiting = sum(one.type in CLINICAL for one in view.resources)
        counts.update({"waiting-patient": waiting} if waiting else {})
        return PersonRows(_outcomes(course, {}, {}), {}, (), dict(counts))
    written = _numbered(course, person, judge=judge, numbers=numbers)
    placing = _placing(course, written)
    clinical = clinical_rows(
        view,
        placing=placing,
        contract=contract,
        pseudonyms=pseudonyms,
        nir_ano_17=person.nir_ano_17,
        reference=reference,
    )
    counts.update(clinical.counts)
    tables: dict[str, list[Row]] = {name: list(rows) for name, rows in clinical.tables.items() if rows}
    for one in written.values():
        _add_stay(tables, one, clinical, structures=structures, pseudonyms=pseudonyms)
    days = dispense_days(view, placing=placing)
    row = _beneficiary(tables, person, list(written.values()), contract=contract, dispensed=days)
    if row is not None:
        tables["IR_BEN_R"] = [row]
    expensive = expensive_rows(view, placing=placing, contract=contract, reference=reference)
    dispensed = dispensing_rows(
        view, row, placing=placing, contract=contract, pseudonyms=pseudonyms, birth=person.birth, reference=reference
    )
    for found in (expensive, dispensed):
        counts.update(found.counts)
        for name, rows in found.tables.items():
            tables.setdefault(name, []).extend(rows)
    extra = {key: _stay_counts(one, written) for key, one in written.items()}
    return PersonRows(
        stays=_outcomes(course, written, extra),
        tables={name: tuple(rows) for name, rows in tables.items()},
        exits=tuple((one.stay.year, one.stay.exit.day.month) for one in written.values()),
        counts={name: number for name, number in counts.items() if number},
    )


def _course(visits: Visits, contents: Mapping[str, Content], judge: Judge) -> Course:
    stays = [visit for visit in visits.visits if is_stay(visit, contents[visit.key])]
    admissions = [visit for visit in stays if not is_emergency(visit)]
    joined = joined_admissions([visit for visit in visits.visits if is_emergency(visit)], admissions, visits)
    led: dict[str, list[Visit]] = {}
    for visit in visits.visits:
        if visit.key in joined:
            led.setdefault(joined[visit.key].key, []).append(visit)
            _lend(contents[visit.key], contents[joined[visit.key].key])
    verdicts: dict[str, Verdict] = {visit.key: NO_STAY_OF_ITS_OWN for visit in visits.visits}
    for visit in stays:
        if visit.key not in joined:
            before = tuple(led.get(visit.key, ()))
            verdicts[visit.key] = judge.verdict(visit, contents[visit.key], emergency=before)
    return Course(visits, contents, verdicts, joined)


def _lend(emergency: Content, admission: Content) -> None:
    """Give an admission what was coded in the emergency department before it: acts, and associated diagnoses."""
    admission.acts += [act._replace(unit=None) for act in emergency.acts]
    admission.coded += [one._replace(unit=None, emergency=True) for one in emergency.coded]
    admission.refused += emergency.refused


def _numbered(course: Course, person: Beneficiary, *, judge: Judge, numbers: RsaNumbers) -> dict[str, StayRow]:
    """Return visit key → the stay with its number and modes, in the order of entries."""
    stays = [verdict.stay for verdict in course.verdicts.values() if verdict.stay is not None]
    stays.sort(key=lambda stay: (stay.entry.day, stay.exit.day, stay.visit.key))
    found: dict[str, StayRow] = {}
    for stay in stays:
        entry, left = stay_modes(stay, person=person, contract=judge.contract, structures=judge.structures)
        number = numbers(stay.visit.key, stay.year)
        found[stay.visit.key] = StayRow(stay, number, entry, left, birth(stay), person, judge.contract, judge.reference)
    return found


def _placing(course: Course, written: Mapping[str, StayRow]) -> Placing:
    """Return what places a clinical event: its stay, none at all, or None while its stay is not written."""
    places: dict[str, Place | None] = {}
    for key, verdict in course.verdicts.items():
        admission = course.joined.get(key)
        one = written.get(admission.key if admission else key)
        if one is not None:
            stay = one.stay
            places[key] = Place(
                stay.visit.key, one.rsa_num, stay.year, stay.entry, stay.exit, joined=admission is not None
            )
        elif admission is not None or verdict is not NO_STAY_OF_ITS_OWN:
            places[key] = None
        else:
            places[key] = NO_STAY
    visits = course.visits

    def place(resource: Json) -> Place | None:
        reference = resource.get("encounter") or resource.get("context")
        if not reference:
            return NO_STAY
        visit = visits.of(reference)
        found = places.get(visit.key) if visit else None
        if found is not None and found.stay is not None and visits.is_emergency(reference):
            return Place(found.stay, found.rsa_num, found.exit_year, found.entry, found.exit, joined=True)
        return found

    return place


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
    counts.update(one.entry_mode.counts)
    counts.update(one.exit_mode.counts)
    counts["geographic-finess-default"] += sum(geographic_finess(unit, one.contract) is None for unit in stay.units)
    counts["ghm-incomplete"] += group_incomplete(one)
    counts["readmission-same-day"] += any(
        other is not one
        and other.stay.exit.day == stay.entry.day
        and (other.stay.entry.day, other.stay.visit.key) < (stay.entry.day, stay.visit.key)
        for other in written.values()
    )
    return {name: number for name, number in counts.items() if number}


def _outcomes(
    course: Course, written: Mapping[str, StayRow], extra: Mapping[str, Mapping[str, int]]
) -> tuple[StayOutcome, ...]:
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
                counts=extra.get(visit.key) or verdict.counts,
            )
        )
    return tuple(found)
