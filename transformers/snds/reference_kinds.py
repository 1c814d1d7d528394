"""Which tables an operator may load: columns, headers they are known under, how a cell is read, what stands without."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from transformers.snds.codes import ATC, CIM10, normal_cim10
from transformers.snds.ucum import unit
from transformers.snds.ucum_reference import ucum_code

Reader = Callable[[str], str | None]

LONGEST_LABEL = 400
LABELS = ("PHA_PRS_IDE", "PHA_NOM_COURT", "PHA_ATC_LIB", "PHA_ATC_C03", "PHA_ATC_L03", "PHA_EPH_COD", "PHA_EPH_LIB")
CCAM_CODE = re.compile(r"[A-Z]{4}[0-9]{3}")
FINESS = re.compile(r"[0-9][0-9AB][0-9]{7}")
GEOGRAPHIC = re.compile(r"[0-9][0-9ABC][0-9C][0-9]{2}")
LAYOUT = re.compile(r"(ENTRY|EXIT)-(MODE|PLACE)")
MODE = re.compile(r"[0-9A-Z]")
YEAR = re.compile(r"[12][0-9]{3}")
COMMUNE = re.compile(r"[0-9][0-9AB][0-9]{3}")


@dataclass(frozen=True, slots=True)
class Field:
    """One column: its name, the other headers it is known under, how it is read (None = malformed)."""

    name: str
    read: Reader
    also: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True, slots=True)
class Kind:
    """One table an operator may load: its first `key` columns are its key, `fallback` is what stands without it."""

    name: str
    fields: tuple[Field, ...]
    key: int
    fallback: str

    @property
    def header(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(one.name for one in self.fields)


def _matching(pattern: re.Pattern[str]) -> Reader:
    return lambda cell: cell.upper() if pattern.fullmatch(cell.upper()) else None


def _presentation(cell: str) -> str | None:
    """Return 13 digits: CIP13, UCD13, or the older `000000` and a UCD of 7 digits."""
    if not cell.isascii() or not cell.isdecimal():
        return None
    if len(cell) == 13 and cell.startswith("000000"):
        cell = cell[6:]
    if len(cell) == 7:
        body = "34008" + cell
        total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
        return body + str(-total % 10)
    return cell if len(cell) == 13 else None


def _day(cell: str) -> str | None:
    """Return an ISO date of `2024-01-31` or `31/01/2024`."""
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            return datetime.strptime(cell, form).date().isoformat()  # noqa: DTZ007 — a civil date
        except ValueError:
            continue
    return None


def _amount(cell: str) -> str | None:
    number = cell.replace(",", ".")
    return number if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", number) and float(number) > 0 else None


def _nature(cell: str) -> str | None:
    return str(int(cell)) if re.fullmatch(r"[0-9]{4}", cell) else None


def _label(cell: str) -> str:
    return " ".join(cell.replace(";", ",").split())[:LONGEST_LABEL]


def _unit(cell: str) -> str | None:
    code = ucum_code(cell)
    return code if unit(code) else None


def _cim10(cell: str) -> str | None:
    code = normal_cim10(cell)
    return code if code and CIM10.fullmatch(code) else None


_PRESENTATION = Field("code", _presentation, ("ucd", "cip", "cip13", "PHA_CIP_C13", "UCD_UCD_COD"))
_ATC = Field("atc", _matching(ATC), ("PHA_ATC_CLA", "PHA_ATC_C07"))

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind("cim10", (Field("code", _cim10, ("CIM_COD",)),), 1, "codes are checked by their shape"),
            Kind(
                "ccam",
                (Field("code", _matching(CCAM_CODE), ("CAM_PRS_IDE_COD", "CDC_ACT")),),
                1,
                "codes are checked by their shape",
            ),
            Kind(
                "pmsi-geography",
                (
                    Field("insee", _matching(COMMUNE), required=False),
                    Field("postal", _matching(COMMUNE), ("code_postal",), required=False),
                    Field("code", _matching(GEOGRAPHIC), ("code_geo", "BDI_COD")),
                ),
                2,
                "BDI_COD is the postal code, FLG_GEO_DEF says so",
            ),
            Kind(
                "pmsi-layout",
                (
                    Field("what", _matching(LAYOUT)),
                    Field("meaning", _matching(MODE)),
                    Field("first", _matching(YEAR)),
                    Field("last", _matching(YEAR), required=False),
                    Field("code", _matching(MODE), required=False),
                ),
                3,
                "codes of a year are those of the packaged layout (N since 2019, provenance 5 until 2022)",
            ),
            Kind(
                "legal-finess",
                (Field("geographic", _matching(FINESS)), Field("legal", _matching(FINESS))),
                1,
                "transfers are told by the FINESS as sent",
            ),
            Kind(
                "natures",
                (_PRESENTATION, Field("nature", _nature, ("PRS_NAT_REF",))),
                1,
                "PRS_NAT_REF is 3313 for a community dispense, 3318 for a retrocession, counted",
            ),
            Kind(
                "liste-en-sus",
                (
                    _PRESENTATION,
                    Field("since", _day),
                    Field("until", _day, required=False),
                    Field("content", _amount, required=False),
                    Field("unit", _unit, required=False),
                ),
                2,
                "T_MCOaaMED has no rows",
            ),
            Kind(
                "ir-pha-r",
                (
                    Field("PHA_CIP_C13", _presentation, ("code", "cip13")),
                    Field("PHA_ATC_CLA", _matching(ATC), ("atc",), required=False),
                    *(Field(name, _label, required=False) for name in LABELS),
                ),
                1,
                "PHA_ATC_CLA holds only the classes that were sent; IR_PHA_R is not published",
            ),
            Kind("ucd-atc", (_PRESENTATION, _ATC), 1, "PHA_ATC_CLA holds only the classes that were sent"),
        )
    }
)
