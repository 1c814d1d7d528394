"""The fictitious operator's reference data: a small CSV for each table that the synthetic stays need. Pure.

`generate` writes them beside the bundles, `reference load NAME FILE` takes them. Numbers of products are fictitious,
communes and natures of services are real codes.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.synthetic.catalogue import catalogue, cip13
from gateway.synthetic.rare_care import BOXES_CIP7, EXPENSIVE, RETROCEDED
from gateway.synthetic.scene import Hospital

COMMUNITY_65, RETROCESSION_100 = "3313", "3317"
LISTED_SINCE = "2021-03-01"


def operator_files(hospital: Hospital) -> Mapping[str, str]:
    """Return name of the table → its text, as an operator would load it."""
    boxes = tuple(cip13(cip7) for cip7 in BOXES_CIP7)
    geography = sorted({(one.insee, one.postal) for one in catalogue().places})
    return {
        "liste-en-sus": _table(
            ("code", "since", "until", "content", "unit"),
            (EXPENSIVE.ucd, LISTED_SINCE, "", f"{EXPENSIVE.dose:g}", EXPENSIVE.unit),
        ),
        "natures": _table(
            ("code", "nature"), *((code, COMMUNITY_65) for code in boxes), (RETROCEDED.ucd, RETROCESSION_100)
        ),
        "ir-pha-r": _table(
            ("PHA_CIP_C13", "PHA_ATC_CLA", "PHA_PRS_IDE", "PHA_NOM_COURT"),
            *((code, "B01AC06", code[5:12], "PRODUIT FICTIF") for code in boxes),
        ),
        "pmsi-geography": _table(
            ("insee", "postal", "code"), *((insee, postal, postal) for insee, postal in geography)
        ),
        "legal-finess": _table(("geographic", "legal"), *((site, hospital.finess) for site in hospital.sites)),
    }


def _table(*lines: tuple[str, ...]) -> str:
    return "".join(";".join(line) + "\n" for line in lines)
