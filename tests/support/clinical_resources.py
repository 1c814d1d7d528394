"""De-identified clinical resources as events carry them (docs/stream-contract.md), and the stay they belong to."""

from __future__ import annotations

from datetime import date
from typing import Any

from transformers.contract import Contract
from transformers.snds.clinical import clinical_rows
from transformers.snds.instants import moment
from transformers.snds.placing import ClinicalRows, Place
from transformers.snds.schema import TABLES
from transformers.snds.view import PersonView, Staged

FINESS = "750712184"
NIR = "A" * 17
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
THO = "http://terminology.hl7.org/CodeSystem/"
STAY = Place(
    stay="stay-key",
    rsa_num="0000000042",
    exit_year=2024,
    entry=moment("2024-01-10T06:00:00+01:00"),
    exit=moment("2024-01-14T11:00:00+01:00"),
)
CONTRACT = Contract(finess=FINESS)


class Pseudonyms:
    """Level 2 that a reader of a failing test can recognise."""

    def nir_ano_17(self, level1: str) -> str:
        return level1[:17].upper()

    def ipp_ben_ano(self, local: str) -> str:
        return local.ljust(44, "0")

    def id_mam_enf(self, local: str) -> str:
        return local.ljust(32, "0")[:32]

    def technical(self, local: str) -> str:
        return f"T:{local}"

    def rsa_num(self, stay_key: str) -> str:  # noqa: ARG002
        return "0000000042"

    def sej_num_offset(self, level1: str) -> int:  # noqa: ARG002
        return 0


def concept(*codings: tuple[str, str]) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code} for system, code in codings]}


def quantity(value: float, code: str | None = None, **more: Any) -> dict[str, Any]:
    unit = {"system": UCUM, "code": code} if code else {}
    return {"value": value, **unit, **more}


def to_resource(kind: str, key: str) -> dict[str, Any]:
    return {"type": kind, "identifier": {"system": "urn:snds-gateway:resource", "value": key}}


def to_stay(alias: str = "stay-alias") -> dict[str, Any]:
    return {"type": "Encounter", "identifier": {"system": "urn:snds-gateway:stay", "value": alias}}


def resource(kind: str, **content: Any) -> dict[str, Any]:
    return {
        "resourceType": kind,
        "subject": {"type": "Patient", "identifier": {"system": "urn:snds-gateway:person", "value": "person-alias"}},
        **content,
    }


def observation(loinc: str | None = None, *, category: str | None = "laboratory", **content: Any) -> dict[str, Any]:
    made = {"status": "final", "encounter": to_stay(), "effectiveDateTime": "2024-01-10T08:00:00+01:00"}
    if category:
        made["category"] = [concept((THO + "observation-category", category))]
    if loinc:
        made["code"] = concept((LOINC, loinc))
    return resource("Observation", **(made | content))


def request(**content: Any) -> dict[str, Any]:
    made = {"status": "active", "intent": "order", "encounter": to_stay(), "authoredOn": "2024-01-10T08:00:00+01:00"}
    return resource("MedicationRequest", **(made | content))


def administration(**content: Any) -> dict[str, Any]:
    made = {"status": "completed", "context": to_stay(), "effectiveDateTime": "2024-01-11T08:00:00+01:00"}
    return resource("MedicationAdministration", **(made | content))


def convert(
    *resources: dict[str, Any],
    place: Place | None = STAY,
    contract: Contract = CONTRACT,
    structures: dict[str, dict[str, Any]] | None = None,
) -> ClinicalRows:
    """Convert resources whose keys are `key-1`, `key-2`… in the order given."""
    view = PersonView(
        finess=FINESS,
        aliases=frozenset({"person-alias"}),
        resources=tuple(
            Staged(key=f"key-{rank}", type=one["resourceType"], resource=one)
            for rank, one in enumerate(resources, start=1)
        ),
        structures={
            key: Staged(key=key, type=one["resourceType"], resource=one) for key, one in (structures or {}).items()
        },
    )
    return clinical_rows(view, placing=lambda _: place, contract=contract, pseudonyms=Pseudonyms(), nir_ano_17=NIR)


def rows(converted: ClinicalRows, table: str) -> list[dict[str, Any]]:
    """Return the rows of a physical table as dicts by official column name."""
    names = TABLES[table[:5] + "aa" + table[7:]].names
    return [dict(zip(names, row, strict=True)) for row in converted.tables.get(table, ())]


def only(converted: ClinicalRows, table: str) -> dict[str, Any]:
    """Return the one row of a table, as a dict."""
    [row] = rows(converted, table)
    return row


def day(text: str) -> date:
    return date.fromisoformat(text)
