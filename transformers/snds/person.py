"""One person's current resources → every row of the person: a pure function, whatever the order of arrival.

In: a `PersonView`. Out: outcomes of stays, rows by physical table, exits, counters. Never: an effect but asking for
the durable number of a stay. Promise: P6.
"""

from __future__ import annotations

from transformers.contract import Contract
from transformers.snds.beneficiary import beneficiary, beneficiary_row
from transformers.snds.view import PersonRows, PersonView, RsaNumbers, StayOutcome, TablePseudonyms
from transformers.snds.visits import INPATIENT, Visit, find_visits


def person_rows(
    view: PersonView, *, contract: Contract, pseudonyms: TablePseudonyms, numbers: RsaNumbers
) -> PersonRows:
    """Return every row of one person. `numbers` gives a stay its RSA_NUM, once for ever."""
    person = beneficiary(view.resources, pseudonyms)
    visits = find_visits(view.resources).visits
    outcomes = tuple(_outcome(visit, known=person is not None) for visit in visits)
    care = [moment.day for visit in visits for moment in (visit.entry, visit.exit) if moment]
    row = beneficiary_row(person, contract=contract, care=care, death_at_exit=None) if person and care else None
    return PersonRows(stays=outcomes, tables={"IR_BEN_R": (row,)} if row else {})


def _outcome(visit: Visit, *, known: bool) -> StayOutcome:
    if visit.kind not in INPATIENT:
        return StayOutcome(visit.key, "none")
    if visit.finished and not known:
        return StayOutcome(visit.key, "quarantined", reason="patient-missing")
    return StayOutcome(visit.key, "open")
