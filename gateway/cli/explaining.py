"""`explain TABLE KEY`: a row's events and versions, and for each column its value, its resources, element and rule."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fhir_profiles.digests import text_version
from gateway.access import KEYS, Access
from gateway.cli import screen
from gateway.cli.acts import record
from gateway.cli.dead_letters import opened_state
from gateway.cli.quality_words import Language
from gateway.cli.queries import plain
from gateway.cli.refusals import InputRefusedError
from streaming.layout import logical_name
from streaming.lineage import Explained, LineageError, explain
from transformers.deidentify.keys import load_table_keys
from transformers.snds.lineage import Meaning, in_french
from transformers.snds.schema import TABLES, packaged

PRODUCT = "fhir-snds-gateway"
HEADS_EN = ("#", "resource", "event", "entry", "offset", "received", "row needs it")
HEADS_FR = ("#", "ressource", "événement", "entry", "offset", "reçu", "indispensable")
LEGEND = (
    (
        "de : sans elle la valeur est autre ; (de) : la ligne en a besoin et les éléments la nomment",
        "les colonnes vides sont omises (--all les montre)",
    ),
    (
        "from: without it the value is another; (from): the row needs it and the elements name it",
        "empty columns are left out (--all shows them)",
    ),
)


KEYS_ARE = "RSA_NUM, SEQ_NUM, BIO_RES_NUM, CST_MES_NUM, ADM_EVT_NUM, PRE_EVT_NUM, DCT_ORD_NUM, BEN_NIR_PSA"
REFUSED: Mapping[str, tuple[str, str]] = {
    "table-unknown": (
        "aucune table de ce nom : T_MCO24B, T_EDS24BIO, IR_BEN_R, ER_PRS_F… (celles de l'exploitant n'en sont pas)",
        "no table of that name: T_MCO24B, T_EDS24BIO, IR_BEN_R, ER_PRS_F… (those of the operator are none)",
    ),
    "row-unknown": (
        f"aucune ligne de cette clé dans cette table : la clé est {KEYS_ARE}",
        f"no row of that key in that table: the key is {KEYS_ARE}",
    ),
    "table-not-of-a-person": (
        "cette table ne contient pas de lignes de personnes : elle vient du contrat et des dates de sortie",
        "this table has no rows of persons: it comes from the contract and the dates of exits",
    ),
}


def explain_row(data_dir: Path, table: str, key: str, *, every_column: bool, as_json: bool, language: Language) -> int:
    """Explain the rows of a table that have this key, in any case of its name. Raises InputRefusedError."""
    keys, contracts = load_table_keys(data_dir / KEYS), Access(data_dir).contract
    table = next((name for name in (table, table.upper()) if logical_name(name) in TABLES), table)
    try:
        with opened_state(data_dir) as state, state.transaction():
            found = explain(state.connection, data_dir, table, key, keys=keys, contracts=contracts)
    except LineageError as refused:
        raise InputRefusedError(refused.code, REFUSED[refused.code][language != "fr"]) from None
    record(data_dir, "explain", table=table, rows=len(found))
    for one in found:
        if as_json:
            screen.write_json(told(one, language))
        else:
            _show(one, every_column=every_column, language=language)
    return 0


def versions() -> dict[str, str]:
    """Return what the rows were computed with."""
    return {"product": version(PRODUCT), "tables": text_version(packaged("tables.json") + packaged("lineage.tsv"))}


def told(one: Explained, language: Language) -> dict[str, Any]:
    """Return an explanation as JSON; what columns mean is in the language."""
    numbers = one.numbers
    meant = {column.name: _meant(column.meaning, language) for column in one.traced.columns}
    return {
        "table": one.traced.physical,
        "versions": versions(),
        "resources": [
            {
                "number": numbers[key],
                "type": origin.type,
                "event": origin.event_id,
                "entry": origin.entry,
                "offset": origin.offset,
                "headers": dict(origin.headers),
                "row_needs_it": key in one.traced.needed,
            }
            for key, origin in one.origins.items()
        ],
        "columns": [
            {
                "name": column.name,
                "label": column.label,
                "value": plain(column.value),
                "given_by": [numbers[key] for key in column.given_by],
                "named": [numbers[key] for key in column.named],
                "elements": meant[column.name].elements,
                "rule": meant[column.name].rule,
            }
            for column in one.traced.columns
        ],
    }


def _meant(meaning: Meaning, language: Language) -> Meaning:
    return in_french(meaning) if language == "fr" else meaning


def _show(one: Explained, *, every_column: bool, language: Language) -> None:
    out = screen.console()
    french = language == "fr"
    numbers = one.numbers
    resources = [
        (
            numbers[key], origin.type, origin.event_id, origin.entry, origin.offset,
            origin.headers.get("ce_time", ""), ("oui" if french else "yes") if key in one.traced.needed else "",
        )
        for key, origin in one.origins.items()
    ]  # fmt: skip
    out.print(
        screen.grid(
            one.traced.physical, HEADS_FR if french else HEADS_EN, resources, right="# entry offset",
        )
    )  # fmt: skip
    sent = {
        (origin.headers.get("rules-version", "?"), origin.headers.get("definitions-version", "?"))
        for origin in one.origins.values()
    }
    for rules, definitions in sorted(sent):
        words = "règles de dé-identification" if french else "de-identification rules"
        out.print(f"{words} {rules}, definitions {definitions}", style="dim")
    out.print(", ".join(f"{name} {value}" for name, value in versions().items()), style="dim")
    rows = [
        (
            column.name,
            _value(column.value),
            " ".join([*(str(numbers[key]) for key in column.given_by), *(f"({numbers[key]})" for key in column.named)]),
            screen.escaped(meant.elements),
            screen.escaped(meant.rule),
        )
        for column, meant in ((column, _meant(column.meaning, language)) for column in one.traced.columns)
        if every_column or column.value is not None
    ]
    heads = (
        ("colonne", "valeur", "de", "éléments", "règle") if french else ("column", "value", "from", "elements", "rule")
    )
    table = screen.grid(None, heads, rows)
    out.print(table, soft_wrap=not sys.stdout.isatty())
    for line in LEGEND[not french][: 1 if every_column else 2]:
        out.print(line, style="dim")


def _value(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else "" if value is None else screen.escaped(str(value))
