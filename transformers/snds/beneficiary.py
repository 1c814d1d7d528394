"""A person's Patients and facts → who it is for the tables: pseudonyms, return codes, sex, birth, death, residence.

Pure. Never: an identity; what needs one was computed before the wall and comes as facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from transformers.contract import Contract
from transformers.snds.elements import Json, extension_value, fact_code, identifiers, version_order
from transformers.snds.instants import amd, moment, year_month
from transformers.snds.schema import row_of
from transformers.snds.view import Row, Staged, TablePseudonyms

FAILURE = "x" * 17
PSA = "urn:snds-gateway:psa"
ANO = "urn:snds-gateway:ano"
IPP = "urn:snds-gateway:ipp"
SEXES = {"male": "1", "female": "2"}
INDETERMINATE = "3"
FINE = "0"
MISSING = "1"
NO_DATE = date(1600, 1, 1)
NO_MONTH = "160001"
NO_YEAR = "1600"
LAST_RANK = 9
DEPARTMENTS = {"2A": "209", "2B": "209", "20": "209", "9A": "971", "9B": "972", "9C": "973", "9D": "974", "9F": "976",
               "99": "099"}  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class Beneficiary:
    """What the tables say of a person. `psa` is level 1, None when the person is never chained."""

    psa: str | None
    nir_ano_17: str
    nir_ano: str | None
    insured_by_another: bool
    own_number: bool
    key_doubtful: bool
    returns: Mapping[str, str]
    sex: str | None
    birth: tuple[int, int | None] | None
    death: date | None
    death_month: str | None
    twin_rank: int
    number_kind: str
    ipp: str | None
    residence: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Beneficiary(chained={self.psa is not None})"


def beneficiary(resources: Iterable[Staged], pseudonyms: TablePseudonyms) -> Beneficiary | None:
    """Return who the person is, None while no Patient has come."""
    listed = list(resources)
    patients = sorted((one for one in listed if one.type == "Patient"), key=_weight, reverse=True)
    if not patients:
        return None
    facts = [one for one in listed if one.type == "Basic"]
    own, insured = _newest(facts, "person"), _newest(facts, "insured")
    paid_by = insured if _identifier(insured, PSA) else None
    chosen = paid_by or own
    sex = SEXES.get(_first(patients, "gender"))
    born = year_month(_first(patients, "birthDate"))
    psa = _identifier(chosen, PSA) if sex else None
    ano = _identifier(own, ANO)
    died = _first(patients, "deceasedDateTime")
    death = moment(died)
    return Beneficiary(
        psa=psa,
        nir_ano_17=pseudonyms.nir_ano_17(psa) if psa else FAILURE,
        nir_ano=pseudonyms.nir_ano_17(ano) if ano else None,
        insured_by_another=paid_by is not None and _identifier(paid_by, PSA) != _identifier(own, PSA),
        own_number=paid_by is None,
        key_doubtful=chosen is not None and not chosen.flags.isdisjoint(("nir-key", "insured-nir-key")),
        returns=_returns(own, paid_by, sex=sex, born=born is not None),
        sex=sex,
        birth=born,
        death=death.day if death else None,
        death_month=amd(death.day) if death else _month(died),
        twin_rank=min(int(extension_value(own.resource, "twin-rank") or 1), LAST_RANK) if own else 1,
        number_kind=str((extension_value(own.resource, "nir-status") if own else None) or "00"),
        ipp=next((value for one in patients for value in identifiers(one.resource, IPP)), None),
        residence=_residence(patients),
    )


def beneficiary_row(
    person: Beneficiary, *, contract: Contract, care: Sequence[date], death_at_exit: date | None
) -> Row | None:
    """Return the row of `IR_BEN_R`; None for a person who is not chained. `care` are the dates of care known."""
    if person.psa is None or person.sex is None:
        return None
    switches = contract.potential_identifiers
    death = person.death or (death_at_exit if person.death_month is None else None)
    month = amd(death) if death else person.death_month or NO_MONTH
    first, last = (min(care), max(care)) if care else (NO_DATE, NO_DATE)
    if "care-dates" not in switches:
        # the exact day of an entry or exit is switched off: its month stays, as in the coarse twins
        first, last = first.replace(day=1), last.replace(day=1)
    unknown_day = None if person.death_month else NO_DATE
    insee = person.residence.get("insee-code", "")
    values = {
        "BEN_NIR_PSA": person.nir_ano_17,
        "BEN_RNG_GEM": person.twin_rank,
        "BEN_NIR_ANO": person.nir_ano,
        "BEN_IDT_ANO": person.nir_ano or f"{person.nir_ano_17}{person.twin_rank}",
        "BEN_IDT_TOP": 1 if person.nir_ano else 0,
        "ASS_NIR_ANO": None if person.insured_by_another else person.nir_ano,
        "BEN_IDT_MAJ": last,
        "BEN_CDI_NIR": person.number_kind,
        "BEN_NAI_ANN": f"{person.birth[0]:04d}" if person.birth else NO_YEAR,
        "BEN_NAI_MOI": f"{person.birth[1]:02d}"
        if "birth-month" in switches and person.birth and person.birth[1]
        else None,
        "BEN_SEX_COD": int(person.sex),
        "BEN_DCD_DTE": (death or unknown_day) if "death-date" in switches else None,
        "BEN_DCD_AME": month,
        "BEN_RES_DPT": department(person.residence.get("department")),
        "BEN_RES_COM": insee[-3:] if "commune" in switches and len(insee) == 5 else None,
        "BEN_TOP_CNS": 1,
        "MAX_TRT_DTD": last,
        "BEN_DTE_INS": first,
        "BEN_DTE_MAJ": last,
    }
    return row_of("IR_BEN_R", values)


def department(pmsi: str | None) -> str | None:
    """Return the three characters of DCIR for the two of the PMSI: `75` → `075`, `2A` → `209`, `9D` → `974`."""
    if pmsi is None:
        return None
    return DEPARTMENTS.get(pmsi) or (f"0{pmsi}" if len(pmsi) == 2 and pmsi.isdecimal() else None)


def _weight(one: Staged) -> tuple[object, ...]:
    """Order Patients: one that another replaced comes last, then by version."""
    replaced = any(link.get("type") == "replaced-by" for link in one.resource.get("link", ()))
    return (not replaced, version_order(one))


def _newest(facts: Iterable[Staged], code: str) -> Staged | None:
    """Return the latest fact of a kind, first among those that can chain."""
    found = [one for one in facts if fact_code(one.resource) == code]
    return max(found, key=lambda one: (bool(identifiers(one.resource, PSA)), version_order(one)), default=None)


def _first(patients: Sequence[Staged], name: str) -> Any:  # noqa: ANN401 — whatever the element holds
    return next((one.resource[name] for one in patients if name in one.resource), None)


def _identifier(fact: Staged | None, system: str) -> str | None:
    return next(iter(identifiers(fact.resource, system)), None) if fact else None


def _month(text: str | None) -> str | None:
    found = year_month(text)
    return f"{found[0]:04d}{found[1]:02d}" if found and found[1] else None


def _returns(own: Staged | None, insured: Staged | None, *, sex: str | None, born: bool) -> dict[str, str]:
    """Return NIR_RET, NAI_RET, SEX_RET: those of the facts, where a later Patient does not say otherwise."""
    said: Json = own.resource if own else {}
    nir = FINE if insured else str(extension_value(said, "nir-ret") or "2")
    birth = str(extension_value(said, "nai-ret") or (FINE if born else "2"))
    gender = str(extension_value(said, "sex-ret") or FINE)
    return {"NIR_RET": nir, "NAI_RET": birth, "SEX_RET": FINE if sex else gender if gender != FINE else MISSING}


def _residence(patients: Sequence[Staged]) -> dict[str, str]:
    """Return the codes of one address: those of the first Patient that has a department."""
    names = ("department", "pmsi-geo-code", "insee-code", "postal-code")
    for one in patients:
        found = {name: extension_value(one.resource, name) for name in names}
        if found["department"]:
            return {name: str(value) for name, value in found.items() if value}
    return {}
