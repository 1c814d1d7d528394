"""`deidentify` and `convert`: a file through the whole line, offline, under random keys that end with the command.

Never loads a key of an installation; what is shown joins with nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import orjson

from fhir_profiles.validator import FrenchProfiles, load_validator
from gateway.cli import screen
from gateway.cli.inputs import documents
from gateway.cli.rows import show_rows
from gateway.cli.validation import placed_in
from gateway.credentials import checked_finess
from gateway.preview import Bench, Look, look, rows_of
from transformers.contract import Contract
from transformers.deidentify.rules import load_rules

Language = Literal["fr", "en"]
RowsForm = Literal["table", "csv", "parquet", "json"]
FINESS = "750712184"


def deidentify(file: Path, *, explain: bool, french_profiles: FrenchProfiles, language: Language) -> int:
    """Show what would leave: one Bundle a person, and with `explain` the rule of each path."""
    bench = _bench(FINESS, french_profiles)
    refuses = False
    for one in _looks(file, bench, language=language, explain=explain):
        refuses |= one.refuses
        if one.scrubbed is None:
            continue
        for bundle in one.scrubbed.bundles:
            _show_json(orjson.loads(bundle.body))
        if explain:
            _show_rules(one)
    return int(refuses)


def convert(
    file: Path,
    *,
    form: RowsForm,
    folder: Path | None,
    finess: str,
    french_profiles: FrenchProfiles,
    language: Language,
) -> int:
    """Show which rows a file would become, and why a stay would wait or be in quarantine."""
    bench = _bench(checked_finess(finess, "--finess"), french_profiles)
    looks = list(_looks(file, bench, language=language, explain=False))
    show_rows(rows_of(looks, bench), form=form, folder=folder or Path("rows"), file=file)
    return int(any(one.refuses for one in looks))


def _bench(finess: str, french_profiles: FrenchProfiles) -> Bench:
    contract = Contract(finess=finess, french_profiles=french_profiles, test=True)
    return Bench(contract, load_validator(), load_rules())


def _looks(file: Path, bench: Bench, *, language: Language, explain: bool) -> Iterator[Look]:
    """Look at each document; what would be refused is said on stderr."""
    for document in documents(file):
        seen = look(document.content, bench, explain=explain)
        blocking = [one for one in seen.issues if one.blocks]
        for line in screen.issue_lines(placed_in(document, blocking), language=language, quoting=True):
            screen.complain(f"{document.label}: {line}")
        yield seen


def _show_json(value: Any) -> None:  # noqa: ANN401 — any JSON value
    """Write JSON: indented for a person, one line for a program."""
    if sys.stdout.isatty():
        from rich.json import JSON

        screen.console().print(JSON.from_data(value))
    else:
        screen.write_json(value)


def _show_rules(one: Look) -> None:
    assert one.scrubbed is not None
    explained = one.scrubbed.explained
    if not sys.stdout.isatty():
        for index, path, action, rule in explained:
            screen.write_json({"entry": index, "path": path, "action": action, "rule": rule})
        return
    screen.console().print(screen.grid("Rules", ("entry", "path", "action", "rule"), explained, right="entry"))
