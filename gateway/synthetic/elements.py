"""Small FHIR elements as plain dicts: coding, concept, identifier, quantity, narrative, instants. Pure."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from xml.sax.saxutils import escape

FRC = "https://hl7.fr/ig/fhir/core/"
THO = "http://terminology.hl7.org/CodeSystem/"
EDS = "https://interop.esante.gouv.fr/ig/fhir/eds/"
NOS = "https://mos.esante.gouv.fr/NOS/"
SMT = "https://smt.esante.gouv.fr/"
FR_V2_0203 = FRC + "CodeSystem/fr-core-cs-v2-0203"
FR_IDENTIFIER_TYPE = FRC + "CodeSystem/fr-core-cs-identifier-type"
V2_0203 = THO + "v2-0203"
CIM10 = SMT + "terminologie-cim-10"
CCAM = SMT + "terminologie-ccam"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
ATC = "http://www.whocc.no/atc"
UCD = "http://data.esante.gouv.fr/ansm/medicament/UCD"
CIP = "http://data.esante.gouv.fr/ansm/medicament/CIP"
CIS = "http://data.esante.gouv.fr/ansm/medicament/CIS"
SNOMED = "http://snomed.info/sct"
EDQM = "http://standardterms.edqm.eu"
COMMUNE = NOS + "TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM"
HOME = "https://hopital-fictif.example/"
CONFIDENTIAL = {"system": THO + "v3-Confidentiality", "code": "R", "display": "restricted"}
HTEST = {"system": THO + "v3-ActReason", "code": "HTEST", "display": "test health data"}

Json = dict[str, Any]


def coding(system: str, code: str, display: str | None = None) -> Json:
    """Return a Coding."""
    return {"system": system, "code": code} | ({"display": display} if display else {})


def concept(*codings: Json, text: str | None = None) -> Json:
    """Return a CodeableConcept."""
    return {"coding": list(codings)} | ({"text": text} if text else {})


def identifier(kind: Json, system: str, value: str, *, use: str | None = None) -> Json:
    """Return an Identifier with its type."""
    return ({"use": use} if use else {}) | {"type": {"coding": [kind]}, "system": system, "value": value}


def quantity(value: float, unit: str, *, printed: str | None = None) -> Json:
    """Return a Quantity in UCUM; whole numbers stay whole."""
    number = int(value) if value == int(value) else value
    return {"value": number, "unit": printed or unit, "system": UCUM, "code": unit}


def narrative(*sentences: str) -> Json:
    """Return a generated narrative in French."""
    paragraphs = "".join(f"<p>{escape(one)}</p>" for one in sentences)
    return {
        "status": "generated",
        "div": f'<div xmlns="http://www.w3.org/1999/xhtml" xml:lang="fr" lang="fr">{paragraphs}</div>',
    }


def instant(moment: datetime) -> str:
    """Return a FHIR instant with its offset."""
    return moment.isoformat(timespec="milliseconds")


def date_time(moment: datetime) -> str:
    """Return a FHIR dateTime to the second, with its offset."""
    return moment.isoformat(timespec="seconds")


def period(start: datetime | date, end: datetime | date | None) -> Json:
    """Return a Period; an open one has no end."""
    return {"start": _written(start)} | ({"end": _written(end)} if end else {})


def french_date(moment: datetime | date) -> str:
    """Return dd/mm/yyyy for texts that people read."""
    return f"{moment:%d/%m/%Y}"


def _written(moment: datetime | date) -> str:
    return date_time(moment) if isinstance(moment, datetime) else moment.isoformat()
