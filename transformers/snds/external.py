"""Visits of a public hospital that are no stays → the tables of external activity (ACE): who, when, acts, fees.

Pure. Nothing of an invoice is invented: `T_MCOaaFCSTC` has the lines of a Claim of external activity, no amount.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from transformers.contract import Contract
from transformers.snds.acts import Act, claimed_acts, merged
from transformers.snds.beneficiary import FINE, MISSING, Beneficiary
from transformers.snds.chaining import CARE_DATES, HIDDEN_NUMBER, visit_number
from transformers.snds.contents import Content
from transformers.snds.elements import Json, codes, codings
from transformers.snds.instants import Moment, amd, moment
from transformers.snds.modes import left_unseen
from transformers.snds.schema import physical_name, row_of
from transformers.snds.structures import Structures
from transformers.snds.view import Row, RsaNumbers, Staged, TablePseudonyms
from transformers.snds.visits import Visit, Visits

CHAINING, ACTS, FEES = "T_MCOaaCSTC", "T_MCOaaFMSTC", "T_MCOaaFCSTC"
AMBULATORY = frozenset({"AMB", "EMER", "VR", "FLD"})
CLAIM_TYPE = "ACTEXT"
FEE_SYSTEM = re.compile(r"ngap|act_?cod|prestation", re.IGNORECASE)
FEE = re.compile(r"[A-Z0-9]{1,5}")
OF_ACTS, OF_FEES = "M", "C"
MOST_FEES, LONGEST_DELAY = 999, 99_999
BASE_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SEQUENCE_WIDTH = 8


@dataclass(frozen=True, slots=True, repr=False)
class Contact:
    """One visit that is no stay, with both days and its number."""

    visit: Visit
    entry: Moment
    exit: Moment
    number: str
    geographic: str | None

    def __repr__(self) -> str:
        return "Contact()"


def is_external(visit: Visit) -> bool:
    """Say whether a visit that is no stay belongs to external activity: over, dated, and seen by somebody."""
    disposition = visit.resource.get("hospitalization", {}).get("dischargeDisposition")
    return visit.finished and visit.kind in AMBULATORY and visit.entry is not None and not left_unseen(disposition)


def external_rows(
    contents: Iterable[tuple[Visit, Content]],
    claims: Mapping[str, list[Json]],
    person: Beneficiary,
    *,
    contract: Contract,
    structures: Structures,
    pseudonyms: TablePseudonyms,
    numbers: RsaNumbers,
) -> dict[str, list[Row]]:
    """Return physical table → rows of the visits; a private hospital has none, its activity is in DCIR."""
    tables: dict[str, list[Row]] = {}
    if contract.legal_form == "private":
        return tables
    for visit, content in contents:
        entry, left = visit.entry, visit.exit
        if entry is None:
            continue
        left = left if left is not None and left.day >= entry.day else entry
        number = sequence(numbers(visit.key, left.day.year))
        site = structures.site(visit.resource.get("serviceProvider"))
        units = [contract.units[code].finess_geo for code in site.units if code in contract.units]
        contact = Contact(visit, entry, left, number, site.geographic or next(iter(units), None))
        for table, values in _rows(contact, content, claims.get(visit.key, []), person, contract, pseudonyms):
            tables.setdefault(physical_name(table, left.day.year), []).append(row_of(table, values))
    return tables


def external_claims(resources: Iterable[Staged], visits: Visits) -> dict[str, list[Json]]:
    """Return visit key → the Claims of external activity that name it."""
    found: dict[str, list[Json]] = {}
    for one in resources:
        if (
            one.type == "Claim"
            and one.resource.get("status") == "active"
            and CLAIM_TYPE in codes(one.resource.get("type"))
        ):
            named = [visits.of(ref) for item in one.resource.get("item", ()) for ref in item.get("encounter", ())]
            visit = next(filter(None, named), None)
            if visit is not None:
                found.setdefault(visit.key, []).append(one.resource)
    return found


def sequence(number: str) -> str:
    """Return `SEQ_NUM`: the ten digits of a visit's number in eight characters."""
    value, written = int(number), ""
    for _ in range(SEQUENCE_WIDTH):
        value, digit = divmod(value, 36)
        written = BASE_36[digit] + written
    return written


def _rows(
    one: Contact,
    content: Content,
    claims: list[Json],
    person: Beneficiary,
    contract: Contract,
    pseudonyms: TablePseudonyms,
) -> Iterator[tuple[str, dict[str, Any]]]:
    keys = {"ETA_NUM": contract.finess, "SEQ_NUM": one.number, "NIR_ANO_17": person.nir_ano_17}
    yield CHAINING, keys | _chaining(one, person, contract, pseudonyms)
    returns = {name: person.returns[name] for name in ("NIR_RET", "SEX_RET")}
    line = keys | returns | {
        "DAT_RET": FINE,
        "NIAS_RET": _identified(one.visit),
        "ETA_NUM_GEO": one.geographic or contract.finess,
        "SOR_ANN": f"{one.exit.day.year:04d}",
        "SOR_MOI": f"{one.exit.day.month:02d}",
    }  # fmt: skip
    for act in merged([content.acts, *(told for claim in claims for told in claimed_acts(claim)[0])]):
        for _ in range(act.times):
            yield ACTS, line | _act(act, one)
    for claim in claims:
        for fee in _fees(claim, one):
            yield FEES, line | fee


def _chaining(one: Contact, person: Beneficiary, contract: Contract, pseudonyms: TablePseudonyms) -> dict[str, Any]:
    entry, left = one.entry.day, one.exit.day
    exact = CARE_DATES in contract.potential_identifiers
    number = visit_number(entry, person, pseudonyms, visit=one.visit.key)
    return {
        "ENT_DAT": f"{entry:%d%m%Y}" if exact else None,
        "ENT_DAT_RET": FINE,
        "EXE_SOI_AMD": amd(entry),
        "EXE_SOI_AMF": amd(left),
        "EXE_SOI_DTD": entry if exact else None,
        "EXE_SOI_DTF": left if exact else None,
        "IAS_RET": _identified(one.visit),
        "RNG_NAI": str(person.twin_rank),
        "SEJ_NUM": number if exact else HIDDEN_NUMBER,
        "SOR_DAT": f"{left:%d%m%Y}" if exact else None,
        **person.returns,
    }


def _act(act: Act, one: Contact) -> dict[str, Any]:
    modifiers = act.modifiers or ""
    return {
        "CCAM_COD": act.code.code,
        "PHA_ACT": act.code.phase,
        "ACV_ACT": act.code.activity,
        "DOC_ACT": act.code.documentary,
        "DEL_DAT_ENT": _delay(act.when.day if act.when else None, one),
        "TYP_ART": OF_ACTS,
    } | {f"MOD_ACT{place}": letter for place, letter in enumerate(modifiers, 1)}


def _fees(claim: Json, one: Contact) -> Iterator[dict[str, Any]]:
    """Yield the lines of a Claim that have a code of fees (NGAP)."""
    for item in claim.get("item", ()):
        code = next(
            (
                code.upper()
                for system, code in codings(item.get("productOrService"))
                if FEE_SYSTEM.search(system) and FEE.fullmatch(code.upper())
            ),
            None,
        )
        if code is None:
            continue
        served = moment(item.get("servicedDate") or item.get("servicedPeriod", {}).get("start"))
        quantity = int(item.get("quantity", {}).get("value") or 1)
        yield {
            "ACT_COD": code,
            "ACT_NBR": min(max(quantity, 1), MOST_FEES),
            "DEL_DAT_ENT": _delay(served.day if served else None, one),
            "TYP_ART": OF_FEES,
        }


def _delay(day: date | None, one: Contact) -> int | None:
    delay = (day - one.entry.day).days if day else -1
    return delay if 0 <= delay <= LONGEST_DELAY else None


def _identified(visit: Visit) -> str:
    return MISSING if "unstable-identity" in visit.root.flags else FINE
