"""Current resources of one person → rows of the clinical tables `T_EDSaaBIO`, `CST`, `ADM` and `PRE`. Pure.

Statuses, dates and the wait for a stay: DESIGN §6 and §12. What gives no row is counted, never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping

from transformers.contract import Contract
from transformers.snds.clinical_drugs import administration, prescription
from transformers.snds.clinical_observations import Observations
from transformers.snds.clinical_sheet import Sheet, table_name
from transformers.snds.placing import ClinicalRows, Placing
from transformers.snds.reference import NO_REFERENCE, Reference
from transformers.snds.view import PersonView, Staged, TablePseudonyms

RESULTS: Mapping[str, str] = {"final": "F", "amended": "C", "corrected": "C"}
ADMINISTERED: Mapping[str, str] = {"completed": "F", "in-progress": "P", "stopped": "S"}
PRESCRIBED: Mapping[str, str] = {"active": "A", "completed": "F", "stopped": "S"}
STATUSES: Mapping[str, Mapping[str, str]] = {
    "Observation": RESULTS,
    "MedicationAdministration": ADMINISTERED,
    "MedicationRequest": PRESCRIBED,
}
REMOVED = frozenset({"entered-in-error", "cancelled", "not-done"})
ORDERS = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})


def clinical_rows(
    view: PersonView,
    *,
    placing: Placing,
    contract: Contract,
    pseudonyms: TablePseudonyms,
    nir_ano_17: str,
    reference: Reference = NO_REFERENCE,
) -> ClinicalRows:
    """Return every clinical row of a person, by physical table, with what was counted."""
    sheet = Sheet(
        view,
        contract=contract,
        technical=pseudonyms.technical,
        nir_ano_17=nir_ano_17,
        placing=placing,
        atc=reference.atc,
    )
    observations = Observations(sheet)
    for staged in view.resources:
        if staged.type in STATUSES:
            _write(staged, sheet, observations)
    return ClinicalRows(
        tables={table_name(*name): tuple(rows) for name, rows in sheet.tables.items()},
        outside=sheet.outside,
        counts=sheet.counts,
    )


def _write(staged: Staged, sheet: Sheet, observations: Observations) -> None:
    """Write the rows of one event, or count why it has none."""
    resource, kind = staged.resource, staged.type
    sent = resource.get("status", "")
    status = STATUSES[kind].get(sent)
    if status is None or resource.get("doNotPerform"):
        sheet.count("clinical-removed" if sent in REMOVED or status else "clinical-preliminary")
        return
    table = observations.table(resource) if kind == "Observation" else ""
    if table is None:
        sheet.count("observation-not-kept")
        return
    if kind == "MedicationRequest" and resource.get("intent", "order") not in ORDERS:
        sheet.count("request-not-order")
        return
    place = sheet.place_of(resource)
    if place is None:
        sheet.count("waiting-stay")
    elif table:
        observations.write(staged, place, table=table, status=status)
    elif kind == "MedicationRequest":
        prescription(staged, place, sheet, status=status)
    else:
        administration(staged, place, sheet, status=status)
