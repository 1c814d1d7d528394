"""Schema, rules and a synthetic hospital → docs/tables.md: every table and column, how it is filled, and how often.

Run it after a change of `transformers/snds`: `python -m scripts.build_table_docs [--check]`. A test compares.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.synthetic_hospital import full_contract, loaded_reference, rare_hospital
from transformers.deidentify.pseudonyms import Key, TableKeys
from transformers.snds.lineage import meanings
from transformers.snds.person import person_rows
from transformers.snds.quarantine import COUNTS, REASONS, Text
from transformers.snds.reference_kinds import KINDS
from transformers.snds.schema import TABLES, Column, Table, hospital_row
from transformers.snds.unfilled import reason_empty
from transformers.snds.view import Row

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "tables.md"
TEXT = Path(__file__).resolve().parent / "tables.head.md"
STAYS = 600
RARE = 5
SEED = 1
EMPTY_TABLES = frozenset({"IR_BEN_R_ARC", "IR_IMB_R", "KI_CCI_R", "KI_ECD_R", "ER_CAM_F", "ER_BIO_F"})
LONGEST = 170


def document() -> str:
    """Return the text of the document."""
    rows = synthetic_rows()
    parts = [TEXT.read_text(encoding="utf-8"), _reasons(), _counts(), _reference(), _coverage_head()]
    parts += [_table(table, rows.get(name, [])) for name, table in TABLES.items()]
    return "\n".join(parts)


def synthetic_rows() -> Mapping[str, list[Row]]:
    """Return the rows of a fictitious hospital by generic table name."""
    agreed, loaded = full_contract(), loaded_reference()
    keys = TableKeys(Key(b"d" * 32))
    found: dict[str, list[Row]] = defaultdict(list)
    exits: set[tuple[int, int]] = set()
    for view in rare_hospital(SEED, STAYS, rounds=RARE, with_contract=agreed)[2]:
        rows = person_rows(
            view, contract=agreed, pseudonyms=keys, numbers=lambda stay, _: keys.rsa_num(stay), reference=loaded
        )
        exits.update(rows.exits)
        for name, listed in rows.tables.items():
            found[re.sub(r"^(T_[A-Z]{3})\d\d", r"\1aa", name)] += listed
    for year in sorted({year for year, _ in exits}):
        found["T_MCOaaE"].append(hospital_row(agreed, [one for one in exits if one[0] == year]))
    return found


def _reasons() -> str:
    return _texts("## Reasons of quarantine / Motifs de quarantaine", "reason", REASONS)


def _counts() -> str:
    return _texts("## Counted for the quality report / Compteurs de qualité", "counter", COUNTS)


def _texts(title: str, first: str, texts: Mapping[str, Text]) -> str:
    lines = [f"{title}\n", f"| {first} | français | English |", "|---|---|---|"]
    lines += [f"| `{code}` | {text.fr} | {text.en} |" for code, text in texts.items()]
    return "\n".join(lines) + "\n"


def _reference() -> str:
    lines = [
        "## Reference data of the operator\n",
        "`snds-gateway reference load NAME FILE` (CSV with a header, `;` or `,`), `reference check`. All optional.\n",
        "| name | columns | without it |",
        "|---|---|---|",
    ]
    for name, kind in KINDS.items():
        columns = ", ".join(f"`{one.name}`" + ("" if one.required else "?") for one in kind.fields)
        lines.append(f"| `{name}` | {columns} | {kind.fallback} |")
    return "\n".join(lines) + "\n"


def _coverage_head() -> str:
    return (
        "## Tables and columns\n\n"
        f"*filled*: share of rows with a value, on {STAYS} stays of the synthetic hospital and its rare cases"
        f" (`generate --seed {SEED} --rare {RARE}`), every switch of the contract on, the operator's tables of"
        " `generate` loaded: what the product can fill, not what a hospital sends. A column with a default is never"
        " NULL. *fill*: K key, F copied, D derived, P pseudonym, C constant, G grouper of the hospital, R reference"
        " data, N never.\n"
    )


def _table(table: Table, rows: list[Row]) -> str:
    title = f"### `{table.name}`\n\n{table.title_fr}. "
    if table.name in EMPTY_TABLES:
        return f"{title}{len(table.columns)} columns, no rows: {reason_empty(table.name, '')}.\n"
    key = ", ".join(f"`{name}`" for name in table.primary_key) or "none declared"
    lines = [f"{title}Key: {key}. {len(rows)} rows.\n"]
    filled, empty = _split(table, rows)
    lines += ["| column | type | default | fill | filled | label | from |", "|---|---|---|---|---|---|---|"]
    lines += [_line(table, column, share) for column, share in filled]
    lines.append("")
    by_reason: dict[str, list[str]] = defaultdict(list)
    for column in empty:
        by_reason[reason_empty(table.name, column.name) or "not filled"].append(f"`{column.name}`")
    if by_reason:
        lines.append("Empty here:\n")
        lines += [f"* {reason}: {', '.join(names)}" for reason, names in by_reason.items()]
        lines.append("")
    return "\n".join(lines)


def _split(table: Table, rows: list[Row]) -> tuple[list[tuple[Column, float]], list[Column]]:
    filled: list[tuple[Column, float]] = []
    empty: list[Column] = []
    for place, column in enumerate(table.columns):
        share = sum(row[place] is not None for row in rows) / len(rows) if rows else 0.0
        if share or (column.fill != "N" and not rows):
            filled.append((column, share))
        else:
            empty.append(column)
    return filled, empty


def _line(table: Table, column: Column, share: float) -> str:
    told = meanings().get((table.name, column.name))
    source = "; ".join(part for part in told if part) if told else ""
    source = source if len(source) <= LONGEST else source[:LONGEST].rsplit(" ", 1)[0] + " …"
    default = "" if column.default is None else f"`{column.default}`"
    cells = (f"`{column.name}`", column.type, default, column.fill, _percent(share), column.label_fr, source)
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _percent(share: float) -> str:
    return "< 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())


def differences() -> Iterator[str]:
    """Yield the lines of the document that are not up to date."""
    written = DOCUMENT.read_text(encoding="utf-8").splitlines()
    yield from (line for line in document().splitlines() if line not in written)


def main() -> None:
    """Write the document, or say what differs."""
    if "--check" in sys.argv:
        raise SystemExit(next(differences(), 0))
    DOCUMENT.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
