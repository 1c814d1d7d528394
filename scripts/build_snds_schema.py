"""../shared/snds → transformers/snds/data: `python scripts/build_snds_schema.py ../shared/snds [--check]`.

Compact facts only: tables and columns, entry and exit modes, CIM-10 headings. No label of CIM-10 is copied.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "transformers" / "snds" / "data"
PATTERN = re.compile(r"[A-Z][0-9]{2}[0-9+]{0,3}")
REGIONS = {
    "1": "GUADELOUPE", "2": "MARTINIQUE", "3": "GUYANE", "4": "LA RÉUNION", "6": "MAYOTTE", "11": "ÎLE-DE-FRANCE",
    "24": "CENTRE-VAL DE LOIRE", "27": "BOURGOGNE-FRANCHE-COMTÉ", "28": "NORMANDIE", "32": "HAUTS-DE-FRANCE",
    "44": "GRAND EST", "52": "PAYS DE LA LOIRE", "53": "BRETAGNE", "75": "NOUVELLE-AQUITAINE", "76": "OCCITANIE",
    "84": "AUVERGNE-RHÔNE-ALPES", "93": "PROVENCE-ALPES-CÔTE D'AZUR", "94": "CORSE",
}  # fmt: skip
CORSICA = {"201": "2A", "202": "2B"}
OVERSEAS = {"971": "9A", "972": "9B", "973": "9C", "974": "9D", "976": "9F"}
EXTERNAL = {
    "T_MCOaaCSTC": ("Activité externe : chaînage", ("ETA_NUM", "SEQ_NUM")),
    "T_MCOaaFMSTC": ("Activité externe : actes CCAM", ()),
    "T_MCOaaFCSTC": ("Activité externe : honoraires", ()),
}
EXTERNAL_KEYS = frozenset({"ETA_NUM", "SEQ_NUM"})
EXTERNAL_DEFAULTS = {"NIR_ANO_17": "x" * 17, "SEJ_NUM": "00000"}
EXTERNAL_FILLED = {
    "ENT_DAT", "ENT_DAT_RET", "EXE_SOI_AMD", "EXE_SOI_AMF", "EXE_SOI_DTD", "EXE_SOI_DTF", "IAS_RET", "NAI_RET",
    "NIR_ANO_17", "NIR_RET", "RNG_NAI", "SEJ_NUM", "SEX_RET", "SOR_DAT", "ACV_ACT", "CCAM_COD", "DEL_DAT_ENT",
    "DOC_ACT", "ETA_NUM_GEO", "MOD_ACT1", "MOD_ACT2", "MOD_ACT3", "MOD_ACT4", "PHA_ACT", "SOR_ANN", "SOR_MOI",
    "TYP_ART", "DAT_RET", "NIAS_RET", "ACT_COD", "ACT_NBR",
}  # fmt: skip
EXACT_DATES = frozenset({"ENT_DAT", "SOR_DAT", "EXE_SOI_DTD", "EXE_SOI_DTF"})
AMOUNT = ("", "NULL: an amount is never invented, a Claim's does not cross the wall")
OURS = {
    ("T_MCOaaC", "COH_SEX_RET"): ("", "0: the number that this control needs stays before the wall"),
    ("ER_PRS_F", "BSE_REM_BSE"): AMOUNT,
    ("ER_PRS_F", "BSE_REM_MNT"): AMOUNT,
    ("ER_PRS_F", "PRS_PAI_MNT"): AMOUNT,
    ("ER_UCD_F", "UCD_TTF_MNT"): AMOUNT,
    ("ER_PRS_F", "PSE_SPE_COD"): ("", "99: unknown, professionals are persons too"),
    ("ER_PRS_F", "PSP_SPE_COD"): ("", "99: unknown, professionals are persons too"),
}
OURS_OF_DCIR = {
    "FLX_EMT_NUM": ("contract: FINESS", "1 to 9999, a function of the hospital's FINESS"),
    "FLX_EMT_ORD": ("MedicationDispense", "1 to 9999, keyed hash of the dispense"),
    "FLX_EMT_TYP": ("none", "99: the transmitter is unknown"),
    "ORG_CLE_NUM": ("none", "000000000: the insurer is unknown"),
    "PRS_ORD_NUM": ("none", "1: an account has one line"),
    "ORG_AFF_BEN": ("", "NULL: the number of the insurer does not cross the wall"),
}
COPIES = {"IR_BEN_R_ARC": ("IR_BEN_R", "Référentiel archivé des bénéficiaires (vide)")}


def rows(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """Return the records of a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def tables(shared: Path) -> str:
    """Return tables.json: one line a column, in official order."""
    columns: dict[str, list[list[str | None]]] = {}
    for row in rows(shared / "columns.csv"):
        columns.setdefault(row["table"], []).append(
            [
                row["column"],
                row["type"],
                "" if row["nullable"] == "NULL" else "NOT NULL",
                row["default"] or None,
                row["fill"],
                row["sensitivity"],
                row["nomenclature"],
                row["label_fr"],
            ]
        )
    found = {}
    for name in columns:
        target = json.loads((shared / "target" / f"{name}.json").read_text(encoding="utf-8"))
        if [field["name"] for field in target["fields"]] != [column[0] for column in columns[name]]:
            raise SystemExit(f"{name}: columns.csv and target disagree")
        found[name] = (target["title"], target.get("primaryKey", []), columns[name])
    for copy, (original, title) in COPIES.items():
        found[copy] = (title, found[original][1], found[original][2])
    for name, (title, key) in EXTERNAL.items():
        schema = json.loads((shared / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
        found[name] = (title, list(key), [external(field) for field in schema["fields"]])
    lines = []
    for name, (title, key, listed) in found.items():
        body = ",\n".join("   " + dumped(column) for column in listed)
        lines.append(f' "{name}": {{"title": {dumped(title)}, "key": {dumped(key)}, "columns": [\n{body}]}}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def external(field: dict[str, str]) -> list[str | None]:
    """Return one column of the tables of external activity, whose official schema alone is known."""
    name, length = field["name"], field.get("length") or ""
    kind = {"string": f"CHAR({length or 8})", "date": "DATE"}.get(field["type_oracle"]) or f"NUMBER({length or '13,2'})"
    required = name in EXTERNAL_KEYS or name in EXTERNAL_DEFAULTS
    filled = "K" if name in EXTERNAL_KEYS else "P" if name == "NIR_ANO_17" else "D" if name in EXTERNAL_FILLED else "N"
    nomenclature = field.get("nomenclature") or "-"
    return [
        name,
        kind,
        "NOT NULL" if required else "",
        EXTERNAL_DEFAULTS.get(name),
        filled,
        "identifiant_potentiel" if name in EXACT_DATES else "",
        "" if nomenclature == "-" else nomenclature,
        " ".join((field.get("description") or "").split()),
    ]


def lineage(shared: Path) -> str:
    """Return lineage.tsv: table, column, the FHIR elements that it comes from, and the rule.

    As the facts page says; `OURS` where the page leaves a choice or knows of a source that does not cross the wall.
    """
    lines = ["table\tcolumn\telements\trule"]
    for row in rows(shared / "columns.csv"):
        told = [row[name].replace("\t", " ").strip() for name in ("table", "column", "fhir_source", "rule")]
        ours = OURS.get((told[0], told[1])) or OURS_OF_DCIR.get(told[1])
        told[2:] = ours or told[2:]
        if told[2] or told[3]:
            lines.append("\t".join(told))
    return "\n".join(lines) + "\n"


def dumped(value: object) -> str:
    """Return one line of JSON with French letters as they are."""
    return json.dumps(value, ensure_ascii=False)


def modes(shared: Path) -> str:
    """Return modes.tsv: direction, system, code, mode, provenance or destination, and what the mapping says of it."""
    lines = ["direction\tsystem\tcode\tmode\tplace\tmeaning\tcondition"]
    for row in rows(shared / "entry_exit_mapping.csv"):
        lines.append(
            "\t".join(
                row[name] for name in ("direction", "system", "code", "MODE", "PROV_DEST", "meaning", "condition")
            )
        )
    return "\n".join(lines) + "\n"


def headings(shared: Path) -> str:
    """Return cim10-headings.txt: the codes of MS_CIM_V that have subdivisions, one line a three-character category."""
    codes = {row["CIM_COD"].strip() for row in rows(shared / "nomenclatures" / "MS_CIM_V.csv", ";")}
    usable = sorted(code for code in codes if PATTERN.fullmatch(code))
    parents = sorted({code[:cut] for code in usable for cut in range(3, len(code)) if code[:cut] in codes})
    lines: dict[str, list[str]] = {}
    for code in parents:
        lines.setdefault(code[:3], []).append(code[3:])
    return "".join(f"{stem} {','.join(rest)}\n" for stem, rest in lines.items())


def regions(shared: Path) -> str:
    """Return regions.tsv: department as the PMSI writes it, label of its region."""
    lines = []
    for row in rows(shared / "nomenclatures" / "IR_DPT_V.csv", ";"):
        code, label = row["GEO_DPT_COD"], REGIONS.get(row["GEO_REG_COD"])
        department = CORSICA.get(code) or OVERSEAS.get(code) or (code[1:] if code[0] == "0" else None)
        if label and department:
            lines.append(f"{department}\t{label}\n")
    return "".join(lines)


def main() -> None:
    """Write the data files, or say which differ."""
    shared = Path(sys.argv[1])
    made = {"tables.json": tables(shared), "modes.tsv": modes(shared), "cim10-headings.txt": headings(shared)}
    made["regions.tsv"] = regions(shared)
    made["lineage.tsv"] = lineage(shared)
    if "--check" in sys.argv:
        wrong = [name for name, text in made.items() if (DATA / name).read_text(encoding="utf-8") != text]
        raise SystemExit(f"not up to date: {', '.join(wrong)}" if wrong else 0)
    DATA.mkdir(exist_ok=True)
    for name, text in made.items():
        (DATA / name).write_text(text, encoding="utf-8")
        print(f"{name}: {len(text)} characters")


if __name__ == "__main__":
    main()
