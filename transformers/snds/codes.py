"""Codes as sent → codes as the SNDS writes them: CIM-10, CCAM, roles of diagnoses, drugs. Pure.

A right code under an unknown system is taken and flagged; an explicit other nomenclature is never read as ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from transformers.snds.elements import Codings, Json, codings
from transformers.snds.schema import packaged

CIM10_SYSTEMS = frozenset(
    {
        "https://smt.esante.gouv.fr/terminologie-cim-10",
        "http://hl7.org/fhir/sid/icd-10",
        "http://hl7.org/fhir/sid/icd-10-fr",
        "https://interop.esante.gouv.fr/ig/fhir/eds/CodeSystem/CIM10",
        "https://aphp.github.io/IG-FHIR-EDSH-SOCLE-COMMUN/CodeSystem/edsh-cim10-cs",
        "https://aphp.github.io/IG-fhir-dm/CodeSystem/CIM10",
        "https://interop.aphp.fr/ig/fhir/dm/CodeSystem/CIM10",
        "https://mos.esante.gouv.fr/NOS/CIM_10/FHIR/CIM-10",
        "urn:oid:2.16.840.1.113883.6.3",
    }
)
CCAM_SYSTEMS = frozenset(
    {
        "https://smt.esante.gouv.fr/terminologie-ccam",
        "https://mos.esante.gouv.fr/NOS/CCAM_2/FHIR/CCAM",
        "http://hl7.org/fhir/sid/ccam",
        "http://fhir.arkhn.com/ccam",
        "https://interop.esante.gouv.fr/ig/fhir/eds/CodeSystem/CCAM",
        "https://aphp.github.io/IG-FHIR-EDSH-SOCLE-COMMUN/CodeSystem/edsh-ccam-cs",
        "https://aphp.github.io/IG-fhir-dm/CodeSystem/Ccam",
        "https://aphp.github.io/IG-fhir-dm/CodeSystem/CCAM",
        "urn:oid:1.2.250.1.213.2.5",
        "urn:oid:1.2.250.1.215.300.1",
    }
)
OTHER_SYSTEMS = re.compile(
    r"icd/release/11|icd11|icd-11|icd-10-cm|icd-10-pcs|icd-9|snomed|loinc\.org|orpha|icpc|whocc|nabm|urn:snds-gateway",
    re.IGNORECASE,
)
ROLE_SYSTEMS = re.compile(r"(pmsi-?mco-?diag-?type|PMSICS|arkhn)", re.IGNORECASE)
ROLES = {"DP": "DP", "DR": "DR", "DA": "DA", "DAS": "DA", "DASS": "DA", "DAD": "DAD", "DASC": "DAD"}

CIM10 = re.compile(r"[A-Z][0-9]{2}[0-9]{0,3}|[A-Z][0-9]{2}[0-9]{0,2}\+[0-9]{1,2}")
CCAM = re.compile(r"([A-Z]{4}[0-9]{3})(.*)", re.DOTALL)
BILLED = re.compile(r"-?([1-5])-([0-3])")
EXTENSION = re.compile(r"-?([0-9]{2})")
CCAM_TAIL = 6
CACHED = 16_384  # decisions about codes as sent: bounded, for the codes come from outside
BLANKS = str.maketrans({"·": " ", ".": " ", "•": " ", "_": " ", "\u00a0": " "})
SESSION = re.compile(r"Z491|Z510[01]?|Z511|Z512|Z513[01]?|Z5180")
DELIVERY = re.compile(r"Z37.*|O8[0-4].*")


class Reading(NamedTuple):
    """A code as the tables hold it (None when it is none of ours), and whether its system was not the expected one."""

    code: str | None
    wrong_system: bool = False


class CcamCode(NamedTuple):
    """A CCAM act as coded."""

    code: str
    extension: str | None = None
    phase: str = "0"
    activity: str = "1"
    documentary: str | None = None
    wrong_system: bool = False


def cim10(concept: Json | None) -> Reading:
    """Return the CIM-10 code of a concept: the first under a CIM-10 system, else one of that shape elsewhere."""
    return _cim10(codings(concept))


@lru_cache(maxsize=CACHED)
def _cim10(found: Codings) -> Reading:
    doubtful = None
    for system, code in found:
        written = normal_cim10(code)
        if written is None or OTHER_SYSTEMS.search(system):
            continue
        if system in CIM10_SYSTEMS:
            return Reading(written)
        doubtful = doubtful or written
    return Reading(doubtful, doubtful is not None)


def normal_cim10(code: str) -> str | None:
    """Return `I21.9` as `I219`, None for what has not the shape of CIM-10 (at most six characters)."""
    written = code.replace(".", "").replace(" ", "").upper()
    return written if len(written) <= 6 and CIM10.fullmatch(written) else None


@cache
def headings() -> frozenset[str]:
    """Return the CIM-10 codes that have subdivisions."""
    found: set[str] = set()
    for line in packaged("cim10-headings.txt").splitlines():
        stem, _, rest = line.partition(" ")
        found.update(stem + end for end in rest.split(","))
    return frozenset(found)


def role(categories: Json | Sequence[Json] | None) -> Reading:
    """Return DP, DR, DA or DAD of a Condition's categories or a Claim's diagnosis types."""
    return _role(codings(categories))


@lru_cache(maxsize=1024)
def _role(found: Codings) -> Reading:
    doubtful = None
    for system, code in found:
        meant = ROLES.get(code.upper())
        if meant and ROLE_SYSTEMS.search(system):
            return Reading(meant)
        if meant and not OTHER_SYSTEMS.search(system):
            doubtful = doubtful or meant
    return Reading(doubtful, doubtful is not None)


def ccam(concept: Json | None) -> CcamCode | None:
    """Return the act of a concept, None when no coding has the shape of CCAM."""
    return _ccam(codings(concept))


@lru_cache(maxsize=CACHED)
def _ccam(found: Codings) -> CcamCode | None:
    doubtful = None
    for system, code in found:
        act = parse_ccam(code)
        if act is None or OTHER_SYSTEMS.search(system):
            continue
        if system in CCAM_SYSTEMS:
            return act
        doubtful = doubtful or act._replace(wrong_system=True)
    return doubtful


def parse_ccam(text: str) -> CcamCode | None:
    """Read `NZFA010···01·`: 7 code, 3 extension, phase, activity, documentary; blank or `·` is the default.

    Short forms are understood too: `DEQP00301` (phase, activity), `DEQP003-1-0` (activity, phase), `DZQM006-01`.
    """
    found = CCAM.fullmatch(text.strip().upper())
    if found is None:
        return None
    code, tail = found[1], found[2].translate(BLANKS)
    billed = BILLED.fullmatch(tail)
    if billed:
        return CcamCode(code, phase=billed[2], activity=billed[1])
    pair = tail.strip()
    if len(pair) <= 2 and len(tail) <= 2 and pair.isdecimal():
        phase, activity = _pair(pair)
        return CcamCode(code, phase=phase, activity=activity)
    if len(tail) > CCAM_TAIL:
        return CcamCode(code) if not pair else None
    tail = tail.ljust(CCAM_TAIL)
    extension = EXTENSION.fullmatch(tail[:3].strip())
    return CcamCode(
        code,
        extension=extension[1] if extension else None,
        phase=tail[3] if tail[3] in "0123" else "0",
        activity=tail[4] if tail[4] in "12345" else "1",
        documentary=tail[5] if tail[5].isalnum() else None,
    )


def _pair(digits: str) -> tuple[str, str]:
    """Tell phase and activity: an activity is never 0, so that `01` and `10` are the same."""
    if len(digits) == 1:
        return "0", digits if digits in "12345" else "1"
    phase, activity = digits[0], digits[1]
    if activity == "0":
        phase, activity = activity, phase
    return phase if phase in "0123" else "0", activity if activity in "12345" else "1"


class Drug(NamedTuple):
    """The codes of a drug."""

    atc: str | None = None
    ucd: str | None = None
    cip: int | None = None
    cis: str | None = None


ATC = re.compile(r"[A-Z]([0-9]{2}([A-Z]([A-Z]([0-9]{2})?)?)?)?")
UCD_SYSTEM = re.compile(r"[/_-]UCD|urn:oid:1\.2\.250\.1\.213\.2\.3\.3", re.IGNORECASE)
CIP_SYSTEM = re.compile(r"[/-]CIP|urn:oid:1\.2\.250\.1\.213\.2\.3\.2$", re.IGNORECASE)
CIS_SYSTEM = re.compile(
    r"/CIS|bdpm|base-donnees-publique\.medicaments|urn:oid:1\.2\.250\.1\.213\.2\.3\.1$", re.IGNORECASE
)
ATC_SYSTEM = re.compile(r"whocc\.no/atc|terminologie-atc|2\.16\.840\.1\.113883\.6\.73", re.IGNORECASE)


def drug(concept: Json | None) -> Drug:
    """Return the codes of a medication, by system."""
    found: dict[str, str] = {}
    for system, code in codings(concept):
        kind = _drug_system(system)
        if kind:
            found.setdefault(kind, code.strip().upper())
    atc, ucd, cip, cis = (found.get(kind, "") for kind in ("atc", "ucd", "cip", "cis"))
    ucd13, cip13 = _presentation(ucd, "34008"), _presentation(cip, "34009")
    return Drug(
        atc=atc if ATC.fullmatch(atc) else None,
        ucd=ucd13,
        cip=int(cip13) if cip13 else None,
        cis=cis if len(cis) == 8 and cis.isdecimal() else None,
    )


@cache
def _drug_system(system: str) -> str | None:
    kinds = (("atc", ATC_SYSTEM), ("ucd", UCD_SYSTEM), ("cip", CIP_SYSTEM), ("cis", CIS_SYSTEM))
    return next((kind for kind, pattern in kinds if pattern.search(system)), None)


def _presentation(code: str, prefix: str) -> str | None:
    """Return 13 digits; the 7-digit form gets its prefix and its EAN-13 key."""
    if not code.isdecimal():
        return None
    if len(code) == 13:
        return code
    if len(code) != 7:
        return None
    body = prefix + code
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return body + str(-total % 10)
