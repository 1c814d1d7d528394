"""`explain TABLE KEY`: a row's events and versions, and for each column its value, its resources, element and rule."""

from __future__ import annotations

import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fhir_profiles.digests import text_version
from gateway.access import KEYS, Access
from gateway.cli import screen
from gateway.cli.acts import record
from gateway.cli.dead_letters import opened_state
from gateway.cli.queries import plain
from streaming.lineage import Explained, explain
from transformers.deidentify.keys import load_table_keys
from transformers.snds.schema import packaged

PRODUCT = "fhir-snds-gateway"


def explain_row(data_dir: Path, table: str, key: str, *, every_column: bool, as_json: bool) -> int:
    """Explain the rows of a table that have this key."""
    keys, contracts = load_table_keys(data_dir / KEYS), Access(data_dir).contract
    with opened_state(data_dir) as state, state.transaction():
        found = explain(state.connection, data_dir, table, key, keys=keys, contracts=contracts)
    record(data_dir, "explain", table=table, rows=len(found))
    for one in found:
        if as_json:
            screen.write_json(told(one))
        else:
            _show(one, every_column=every_column)
    return 0


def versions() -> dict[str, str]:
    """Return what the rows were computed with."""
    return {"product": version(PRODUCT), "tables": text_version(packaged("tables.json") + packaged("lineage.tsv"))}


def told(one: Explained) -> dict[str, Any]:
    """Return an explanation as JSON."""
    numbers = one.numbers
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
                "elements": column.meaning.elements,
                "rule": column.meaning.rule,
            }
            for column in one.traced.columns
        ],
    }


def _show(one: Explained, *, every_column: bool) -> None:
    out = screen.console()
    numbers = one.numbers
    resources = [
        (
            numbers[key], origin.type, origin.event_id, origin.entry, origin.offset,
            origin.headers.get("ce_time", ""), "yes" if key in one.traced.needed else "",
        )
        for key, origin in one.origins.items()
    ]  # fmt: skip
    out.print(
        screen.grid(
            one.traced.physical, ("#", "resource", "event", "entry", "offset", "received", "row needs it"), resources,
            right="# entry offset",
        )
    )  # fmt: skip
    sent = {
        (origin.headers.get("rules-version", "?"), origin.headers.get("definitions-version", "?"))
        for origin in one.origins.values()
    }
    for rules, definitions in sorted(sent):
        out.print(f"de-identification rules {rules}, definitions {definitions}", style="dim")
    out.print(", ".join(f"{name} {value}" for name, value in versions().items()), style="dim")
    rows = [
        (
            column.name,
            _value(column.value),
            " ".join([*(str(numbers[key]) for key in column.given_by), *(f"({numbers[key]})" for key in column.named)]),
            screen.escaped(column.meaning.elements),
            screen.escaped(column.meaning.rule),
        )
        for column in one.traced.columns
        if every_column or column.value is not None
    ]
    table = screen.grid(None, ("column", "value", "from", "elements", "rule"), rows)
    out.print(table, soft_wrap=not sys.stdout.isatty())
    out.print("from: without it the value is another; (from): the row needs it and the elements name it", style="dim")
    if not every_column:
        out.print("empty columns are left out (--all shows them)", style="dim")


def _value(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else "" if value is None else screen.escaped(str(value))
