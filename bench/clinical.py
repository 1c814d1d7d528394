"""Clinical resources of one person → rows: rows per second of a core, for a stay of usual size and for a long one.

Eight events share an instant, as results of one sampling do.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from datetime import datetime, timedelta
from typing import Any

from transformers.contract import Contract
from transformers.deidentify.pseudonyms import TableKeys, random_key
from transformers.snds.clinical import clinical_rows
from transformers.snds.instants import moment
from transformers.snds.placing import Place
from transformers.snds.view import PersonView, Staged

FINESS = "750712184"
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
THO = "http://terminology.hl7.org/CodeSystem/"
ROUNDS, PERSONS = 15, 40
RESULTS = (
    ("6690-2", "G/L", 7.2), ("718-7", "g/dL", 13.1), ("777-3", "10*9/L", 250), ("14682-9", "umol/L", 85),
    ("2160-0", "mg/dL", 1.1), ("22664-7", "mmol/L", 5.2), ("2951-2", "mmol/L", 139), ("1988-5", "mg/L", 4),
    ("1742-6", "UI/L", 31), ("2345-7", "g/L", 0.95),
)  # fmt: skip
MEASURES = (("8867-4", "/min", 72), ("8310-5", "Cel", 37.2), ("2708-6", "%", 98), ("29463-7", "kg", 71.5))
ATC = ("B01AC06", "C10AA05", "C07AB07", "N02BE01", "A02BC01")


def person(number: int, *, size: int) -> tuple[PersonView, Place]:
    """Return one stay's clinical resources: 20 results, 11 measures, 2 pressures, 6 prescriptions, 6 doses a 45."""
    entry = datetime(2023, 1, 1, 8, 0) + timedelta(hours=number * 7)  # noqa: DTZ001 - Paris time, as sent
    subject = {"type": "Patient", "identifier": {"system": "urn:snds-gateway:person", "value": f"{number:022d}"}}
    stay = {"type": "Encounter", "identifier": {"system": "urn:snds-gateway:stay", "value": f"{number:022d}"}}
    resources = []
    for rank in range(size):
        at = (entry + timedelta(minutes=240 * (rank // 8))).isoformat(timespec="minutes") + ":00+01:00"
        made = _resource(rank, at) | {
            "subject": subject,
            "identifier": [{"system": "urn:snds-gateway:resource", "value": f"{number:010d}{rank:012d}"}],
        }
        made["context" if made["resourceType"] == "MedicationAdministration" else "encounter"] = stay
        resources.append(Staged(f"{number:010d}{rank:012d}", made["resourceType"], made))
    view = PersonView(FINESS, frozenset(), tuple(resources))
    exit_ = entry + timedelta(minutes=30 * size + 300)
    return view, Place(
        "stay", "0000000001", 2023, moment(entry.isoformat() + "+01:00"), moment(exit_.isoformat() + "+01:00")
    )


def _resource(rank: int, at: str) -> dict[str, Any]:
    kind = rank % 45
    if kind < 20:
        loinc, unit, value = RESULTS[rank % len(RESULTS)]
        quantity = {"value": value + rank % 7 / 10, "system": UCUM, "code": unit}
        return _observation("laboratory", loinc, at) | {
            "valueQuantity": quantity,
            "referenceRange": [{"low": quantity, "high": quantity}],
            "interpretation": [{"coding": [{"system": THO + "v3-ObservationInterpretation", "code": "N"}]}],
        }
    if kind < 31:
        loinc, unit, value = MEASURES[rank % len(MEASURES)]
        return _observation("vital-signs", loinc, at) | {
            "valueQuantity": {"value": value + rank % 5, "system": UCUM, "code": unit}
        }
    if kind < 33:
        parts = [
            (code, {"value": value, "system": UCUM, "code": "mm[Hg]"})
            for code, value in (("8480-6", 130), ("8462-4", 80))
        ]
        return _observation("vital-signs", "85354-9", at) | {
            "component": [
                {"code": {"coding": [{"system": LOINC, "code": code}]}, "valueQuantity": value} for code, value in parts
            ]
        }
    drug = {"coding": [{"system": "http://www.whocc.no/atc", "code": ATC[rank % len(ATC)]}]}
    route = {"coding": [{"system": "http://standardterms.edqm.eu", "code": "20053000"}]}
    dose = {"value": 75, "system": UCUM, "code": "mg"}
    if kind < 39:
        return {
            "resourceType": "MedicationRequest", "status": "active", "intent": "order", "authoredOn": at,
            "medicationCodeableConcept": drug,
            "dosageInstruction": [{
                "route": route, "doseAndRate": [{"doseQuantity": dose}],
                "timing": {"repeat": {
                    "frequency": 2, "period": 1, "periodUnit": "d", "boundsPeriod": {"start": at, "end": at},
                }},
            }],
        }  # fmt: skip
    return {
        "resourceType": "MedicationAdministration", "status": "completed", "medicationCodeableConcept": drug,
        "effectivePeriod": {"start": at, "end": at}, "dosage": {"route": route, "dose": dose},
    }  # fmt: skip


def _observation(category: str, loinc: str, at: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": THO + "observation-category", "code": category}]}],
        "code": {
            "coding": [{"system": LOINC, "code": loinc}, {"system": "urn:snds-gateway:local", "code": f"h{loinc:>21}"}]
        },
        "effectiveDateTime": at,
    }


def measured(size: int) -> dict[str, float]:
    """Return µs a resource and rows per second (CPU time), the best of some rounds: the machine is rarely alone."""
    people = [person(number, size=size) for number in range(max(1, PERSONS * 45 // size))]
    contract, pseudonyms = Contract(finess=FINESS), TableKeys(random_key())
    rounds, rows = [], 0
    for _ in range(ROUNDS):
        rows = 0
        start = time.process_time()
        for view, place in people:
            converted = clinical_rows(
                view,
                placing=lambda _, place=place: place,
                contract=contract,
                pseudonyms=pseudonyms,
                nir_ano_17="A" * 17,
            )
            rows += sum(map(len, converted.tables.values()))
        rounds.append(time.process_time() - start)
    seconds = min(rounds)
    resources = len(people) * size
    return {"rows_per_second": round(rows / seconds), "us_per_resource": round(seconds / resources * 1e6, 2)}


def main() -> int:
    """Measure, collector frozen as in the table writer."""
    gc.collect()
    gc.freeze()
    gc.disable()
    json.dump(
        {"stay of 45 clinical resources": measured(45), "stay of 900 clinical resources": measured(900)}, sys.stdout
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
