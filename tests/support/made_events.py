"""De-identified events as `scrub` would make them, and a small conversion: what storage tests need, no more."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from streaming.broker import Counts
from streaming.conversion import Rules
from streaming.event import Event
from streaming.memory_log import MemoryLog
from streaming.table_writer import Pace, TableWriter
from transformers.contract import Contract
from transformers.snds.schema import TABLES
from transformers.snds.view import PersonRows, PersonView, Row, RsaNumbers, StayOutcome, TablePseudonyms

FINESS = "750712184"
OTHER = "690781810"
START = datetime(2024, 3, 10, 8, tzinfo=UTC)
NUMBERED = itertools.count(1)


def moment(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def identified(system: str, *values: str) -> list[dict[str, str]]:
    return [{"system": f"urn:snds-gateway:{system}", "value": value} for value in values]


def reference(kind: str, system: str, value: str) -> dict[str, Any]:
    return {"type": kind, "identifier": identified(system, value)[0]}


def resource(kind: str, key: str, *, updated: float | None = None, version: str | None = None, **rest: Any) -> Any:
    meta: dict[str, Any] = {}
    if updated is not None:
        meta["lastUpdated"] = moment(updated)
    if version is not None:
        meta["versionId"] = version
    identifiers = identified("resource", key) + rest.pop("identifier", [])
    return {"resourceType": kind, "identifier": identifiers, **({"meta": meta} if meta else {}), **rest}


def patient(key: str = "pat-1", *aliases: str, **rest: Any) -> Any:
    return resource("Patient", key, identifier=identified("person", *(aliases or ("rest-1",))), **rest)


def encounter(key: str = "enc-1", *stays: str, person: str | None = "rest-1", **rest: Any) -> Any:
    rest = {"status": "finished", "period": {"end": "2024-03-05T11:00:00+01:00"}} | rest
    if person is not None:
        rest["subject"] = reference("Patient", "person", person)
    return resource("Encounter", key, identifier=identified("stay", *(stays or ("visit-1",))), **rest)


def condition(key: str, code: str, *, person: str | None = "rest-1", stay: str = "visit-1", **rest: Any) -> Any:
    if person is not None:
        rest["subject"] = reference("Patient", "person", person)
    rest["encounter"] = reference("Encounter", "stay", stay)
    return resource("Condition", key, code={"coding": [{"code": code}]}, **rest)


def deleted(key: str) -> Any:
    return resource(
        "Basic", key, code={"coding": [{"system": "urn:snds-gateway:fact", "code": "deleted"}]},
        extension=[{"url": "urn:snds-gateway:type", "valueCode": "Condition"}],
    )  # fmt: skip


def event(
    *resources: Any, at: float = 0, finess: str = FINESS, named: str | None = None, timestamp: float | None = None
) -> Event:
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "collection"}
    if timestamp is not None:
        bundle["timestamp"] = moment(timestamp)
    bundle["entry"] = [{"resource": one} for one in resources]
    return raw_event(orjson.dumps(bundle, option=orjson.OPT_SORT_KEYS), at=at, finess=finess, named=named)


def raw_event(value: bytes, *, at: float = 0, finess: str = FINESS, named: str | None = None, **headers: str) -> Event:
    named = named or f"event-{next(NUMBERED):06d}"  # equal stamps are decided by id: in the order of making
    return Event(
        id=named,
        key="person|rest-1",
        headers={
            "ce_specversion": "1.0",
            "ce_id": named,
            "ce_type": "fr.snds-gateway.bundle.v1",
            "ce_source": f"/hospital/{finess}/main",
            "ce_time": moment(at),
        }
        | headers,
        value=value,
    )


class Pseudonyms:
    """Level 2 that shows what it was made of. `start` decides where the numbers of stays begin."""

    def __init__(self, start: Mapping[str, str] | None = None) -> None:
        self._start = start or {}

    def nir_ano_17(self, level1: str) -> str:
        return level1[:17].upper().ljust(17, "0")

    def ipp_ben_ano(self, local: str) -> str:
        return local

    def id_mam_enf(self, local: str) -> str:
        return local

    def technical(self, local: str) -> str:
        return local

    def rsa_num(self, stay_key: str) -> str:
        return self._start.get(stay_key) or number_of(stay_key)

    def sej_num_offset(self, level1: str) -> int:
        return len(level1)


def number_of(text: str) -> str:
    return f"{int.from_bytes(text.encode()[-8:], 'big') % 10**10:010d}"


def row(table: str, **values: Any) -> Row:
    return tuple(values.get(column.name) for column in TABLES[table].columns)


def small_rows(view: PersonView, *, contract: Contract, pseudonyms: TablePseudonyms, numbers: RsaNumbers) -> PersonRows:
    """One stay an Encounter, one D row a Condition of it, the names of referred structures in T_EDSaaSEJ's place."""
    tables: dict[str, list[Row]] = {}
    stays: list[StayOutcome] = []
    exits: list[tuple[int, int]] = []
    known = any(one.type == "Patient" for one in view.resources)
    conditions = [one for one in view.resources if one.type == "Condition"]
    for one in view.resources:
        if one.resource.get("explode"):
            raise KeyError("explode")
        if one.type != "Encounter" or one.resource["status"] == "cancelled":
            continue
        if one.resource["status"] != "finished" or not known:
            reason = None if known else "patient-missing"
            stays.append(StayOutcome(one.key, "quarantined" if reason else "open", reason=reason))
            continue
        end = one.resource["period"]["end"]
        year, month = int(end[:4]), int(end[5:7])
        number = numbers(one.key, year)
        mine = {i["value"] for i in one.resource["identifier"] if i["system"] == "urn:snds-gateway:stay"}
        codes = sorted(
            c.resource["code"]["coding"][0]["code"]
            for c in conditions
            if c.resource["encounter"]["identifier"]["value"] in mine
        )
        short = f"{year % 100:02d}"
        named = "+".join(s.resource.get("name", "") for s in view.structures.values())
        same = {"ETA_NUM": view.finess, "RSA_NUM": number}
        tables.setdefault(f"T_MCO{short}B", []).append(
            row("T_MCOaaB", **same, DGN_PAL=(codes or ["-"])[0], SEJ_NBJ=one.resource.get("nights"), BDI_COD=named)
        )
        for code in codes:
            tables.setdefault(f"T_MCO{short}D", []).append(row("T_MCOaaD", **same, ASS_DGN=code))
        stays.append(StayOutcome(one.key, "written", exit_year=year, rsa_num=number))
        exits.append((year, month))
    return PersonRows(tuple(stays), {name: tuple(rows) for name, rows in tables.items()}, tuple(exits))


def contracts(finess: str) -> Contract | None:
    return Contract(finess=finess, name="CHU FICTIF") if finess in (FINESS, OTHER) else None


def rules(**changes: Any) -> Rules:
    return Rules(**({"contracts": contracts, "pseudonyms": Pseudonyms(), "convert": small_rows} | changes))


def log_of(events: Iterable[Event]) -> MemoryLog:
    log = MemoryLog()
    log.append(list(events), Counts(FINESS))
    return log


def written(data_dir: Path, log: MemoryLog, **options: Any) -> TableWriter:
    """Return a writer that has applied everything in the log, event by event; the caller closes it."""
    options = {"rules": rules(), "pace": Pace(events=1, persons=2, coalesce_s=0.0)} | options
    writer = TableWriter(data_dir, consumer=log, **options)
    try:
        writer.drain()
    except BaseException:
        writer.close()
        raise
    return writer
