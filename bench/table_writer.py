"""The table writer alone: events of about 45 resources from an embedded log into DuckDB tables, rows per second."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from streaming.accounts import status
from streaming.broker import Counts
from streaming.conversion import Rules
from streaming.embedded_log import EmbeddedConsumer, EmbeddedLog
from streaming.event import Event
from streaming.table_writer import TableWriter
from transformers.contract import Contract

FINESS = "750712184"
EVENTS = 2000
OBSERVATIONS = 28
OTHERS = 17
AT_ONCE = 100
LABS = ("718-7", "2160-0", "2951-2", "2823-3", "6690-2", "777-3", "1988-5", "14682-9", "2028-9", "2075-0")
VITALS = ("8867-4", "8310-5", "9279-1", "2708-6")
DRUGS = ("3400930000001", "3400930000002", "3400930000003", "3400930000004", "3400930000005", "3400930000006")
CCAM = "https://interop.esante.gouv.fr/terminologies/CodeSystem-ccam"
CIM10 = "http://hl7.org/fhir/sid/icd-10"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
DIAGNOSIS_ROLE = "https://interop.aphp.fr/ig/fhir/dm/CodeSystem/pmsi-mco-diag-type"


class Pseudonyms:
    """Constant-time stand-in, so that the figure is that of storage and conversion; keyed hashing adds 1 µs each."""

    def nir_ano_17(self, level1: str) -> str:
        """Return 17 characters."""
        return level1[:17].upper()

    def ipp_ben_ano(self, local: str) -> str:
        """Return 44 characters."""
        return local.ljust(44, "0")

    def id_mam_enf(self, local: str) -> str:
        """Return 32 characters."""
        return local.ljust(32, "0")[:32]

    def technical(self, local: str) -> str:
        """Return the key itself."""
        return local

    def rsa_num(self, stay_key: str) -> str:
        """Return ten digits."""
        return f"{int.from_bytes(stay_key.encode()[-6:], 'big') % 10**10:010d}"

    def sej_num_offset(self, level1: str) -> int:
        """Return a small number."""
        return len(level1)


def key(kind: str, number: int, part: int = 0) -> str:
    """Return a resource key or alias of 22 characters."""
    return f"{kind}{part:04d}{number:014d}"[-22:].rjust(22, "A")


def events(count: int, *, observations: int = OBSERVATIONS) -> Iterator[Event]:
    """Yield one event a stay: the resources and facts of one person, 45 with the usual number of observations."""
    return (_event(number, observations) for number in range(count))


def _event(number: int, observations: int) -> Event:
    entry = date(2023, 1, 1) + timedelta(days=number % 600)
    exit_ = entry + timedelta(days=3)
    person, stay = key("P", number), key("S", number)
    subject = {"type": "Patient", "identifier": {"system": "urn:snds-gateway:person", "value": person}}
    encounter = {"type": "Encounter", "identifier": {"system": "urn:snds-gateway:stay", "value": stay}}
    entries = [
        _resource("Patient", key("R", number, 0), [("person", person)], gender="female", birthDate="1960-02"),
        _fact("person", key("R", number, 1), [("psa", f"{number:043d}"), ("ano", f"{number:043d}")], subject, [
            {"url": f"urn:snds-gateway:{name}-ret", "valueCode": "0"} for name in ("nir", "nai", "sex")
        ] + [{"url": "urn:snds-gateway:cdi-nir", "valueCode": "00"}]),
        _fact("age", key("R", number, 2), [], subject, [
            {"url": "urn:snds-gateway:stay", "valueIdentifier": encounter["identifier"]},
            {"url": "urn:snds-gateway:age-years", "valueInteger": 63},
        ]),
        _resource(
            "Encounter", key("R", number, 3), [("stay", stay)], status="finished", subject=subject,
            **{"class": {"system": f"{TERMINOLOGY}/v3-ActCode", "code": "IMP"}},
            period={"start": f"{entry}T08:00:00+01:00", "end": f"{exit_}T11:00:00+01:00"},
        ),
    ]  # fmt: skip
    both: dict[str, Any] = {"subject": subject, "encounter": encounter}
    for part, (code, role) in enumerate([("I10", "DP"), ("E119", "DAS"), ("J449", "DAS"), ("Z922", "DAS")]):
        category = [{"coding": [{"system": DIAGNOSIS_ROLE, "code": role}]}]
        entries.append(_resource(
            "Condition", key("C", number, part), [], category=category, code=_code(CIM10, code), **both
        ))  # fmt: skip
    for part in range(3):
        entries.append(_resource(
            "Procedure", key("D", number, part), [], status="completed", code=_code(CCAM, "DEQP003"),
            performedDateTime=f"{entry}T10:00:00+01:00", **both,
        ))  # fmt: skip
    for part in range(observations):
        lab = part % 7 < 5
        category = [{"coding": [{"system": f"{TERMINOLOGY}/observation-category",
                                 "code": "laboratory" if lab else "vital-signs"}]}]  # fmt: skip
        entries.append(_resource(
            "Observation", key("O", number, part), [], status="final", category=category,
            code=_code(LOINC, (LABS if lab else VITALS)[part % (10 if lab else 4)]),
            effectiveDateTime=f"{entry + timedelta(days=part % 3)}T{6 + part % 12:02d}:30:00+01:00",
            valueQuantity={"value": 4.0 + part, "system": UCUM, "code": "mmol/L"}, **both,
        ))  # fmt: skip
    for part, drug in enumerate(DRUGS):
        entries.append(_resource(
            "MedicationRequest", key("M", number, part), [], status="active", intent="order",
            medicationCodeableConcept=_code("http://phast.fr/fhir/CodeSystem/CIP", drug),
            authoredOn=f"{entry}T09:00:00+01:00", **both,
        ))  # fmt: skip
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in entries]}
    body = orjson.dumps(bundle, option=orjson.OPT_SORT_KEYS)
    headers = {
        "ce_specversion": "1.0", "ce_id": f"event-{number}", "ce_type": "fr.snds-gateway.bundle.v1",
        "ce_source": f"/hospital/{FINESS}/main", "ce_time": "2025-01-01T00:00:00.000Z",
    }  # fmt: skip
    return Event(f"event-{number}", f"person|{person}", headers, body)


def _resource(kind: str, own: str, aliases: list[tuple[str, str]], **rest: Any) -> dict[str, Any]:
    identifier = [
        {"system": f"urn:snds-gateway:{name}", "value": value} for name, value in [("resource", own), *aliases]
    ]
    return {"resourceType": kind, "identifier": identifier, "meta": {"lastUpdated": "2024-12-01T10:00:00Z"}, **rest}


def _fact(
    name: str, own: str, aliases: list[tuple[str, str]], subject: dict[str, Any], extension: list[Any]
) -> dict[str, Any]:
    return _resource(
        "Basic", own, aliases, code=_code("urn:snds-gateway:fact", name), subject=subject, extension=extension
    )


def _code(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def publish(folder: Path, made: Iterator[Event]) -> int:
    """Put events into the embedded log of a folder; return their bytes."""
    log, size = EmbeddedLog(folder / "events.sqlite"), 0
    while some := list(islice(made, AT_ONCE)):
        asyncio.run(log.publish(some, Counts(FINESS)))
        size += sum(len(one.value) for one in some)
    log.close_now()
    return size


def measure(folder: Path, count: int, observations: int = OBSERVATIONS) -> dict[str, Any]:
    """Publish, then apply everything and publish the lake once."""
    size, resources = publish(folder, events(count, observations=observations)), (observations + OTHERS) * count
    consumer = EmbeddedConsumer(folder / "events.sqlite")
    contract = Contract(finess=FINESS, name="CHU FICTIF")
    writer = TableWriter(folder, consumer=consumer, rules=Rules(contracts=lambda _: contract, pseudonyms=Pseudonyms()))
    wall, cpu = time.perf_counter(), time.process_time()
    writer.drain()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rows = sum(writer.sink.query(f'SELECT count(*) FROM "{name}"')[0][0] for name in writer.sink.published_tables())
    writer.close()
    consumer.close()
    accounts = status(folder)
    return {
        "events": count,
        "bytes_an_event": size // count,
        "resources": resources,
        "rows": rows,
        "seconds": round(wall, 2),
        "rows_per_s": round(rows / wall),
        "resources_per_s": round(resources / wall),
        "rows_per_cpu_s": round(rows / cpu),
        "cpu_ms_per_event": round(1000 * cpu / count, 3),
        "stays": accounts.to_json()["stays"],
        "dead_letters": accounts.dead_letters,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(measure(Path(name), *(int(one) for one in sys.argv[1:] or [str(EVENTS)]))))
