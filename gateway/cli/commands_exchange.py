"""Declarations: generate, push, validate, deidentify, convert. The work is in modules loaded when a command runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import (
    Finess,
    FrenchProfiles,
    Lang,
    Language,
    Shown,
    ShownAs,
    example,
)

PANEL = "Bundles"

DEFAULT_URL = "http://127.0.0.1:8080"
DEFAULT_FINESS = "750712184"


class ReportForm(StrEnum):
    """How `validate` reports."""

    human = "human"
    json = "json"
    junit = "junit"
    sarif = "sarif"


class Judgement(StrEnum):
    """How `validate` may judge otherwise than the gateway does (`fhir_profiles.strictness.JUDGEMENTS`)."""

    example_urls_warning = "example-urls=warning"
    example_urls_error = "example-urls=error"
    unknown_extensions_warning = "unknown-extensions=warning"
    unknown_extensions_error = "unknown-extensions=error"
    html_in_strings_warning = "html-in-strings=warning"
    html_in_strings_error = "html-in-strings=error"
    unresolved_references_warning = "unresolved-references=warning"
    unresolved_references_error = "unresolved-references=error"


class RowsForm(StrEnum):
    """How `convert` shows rows."""

    table = "table"
    csv = "csv"
    parquet = "parquet"
    json = "json"


Inputs = Annotated[
    list[Path], typer.Argument(metavar="PATH…", exists=True, help="Bundles or resources: JSON, NDJSON, folders.")
]


def _there(paths: list[Path]) -> list[Path]:
    """Refuse a path that does not exist (typer's own `exists` knows no `-`) and a folder with nothing to judge."""
    from gateway.cli.inputs import files

    for one in paths:
        if str(one) != "-" and not one.exists():
            raise typer.BadParameter(f"path '{one}' does not exist.")
        if not files([one]):
            raise typer.BadParameter(f"folder '{one}' holds no .json, .ndjson or .jsonl file.")
    return paths


Judged = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH…", callback=_there, help="Bundles or resources: JSON, NDJSON, folders; - for standard input."
    ),
]
OneFile = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A bundle, a resource, or NDJSON of them.")
]
Profiles = Annotated[FrenchProfiles, typer.Option("--french-profiles", help="How FR Core is applied.")]


def declare(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    app.command(
        rich_help_panel=PANEL,
        epilog=example("snds-gateway generate --stays 200 --seed 1 --to bundles"),
    )(generate)
    app.command(
        rich_help_panel=PANEL,
        epilog=example(
            "snds-gateway push bundles --key-file data/credentials/750712184.key",
            "snds-gateway push history.ndjson --key-file key --journal history.journal",
        ),
    )(push)
    app.command(
        rich_help_panel=PANEL,
        epilog=example(
            "snds-gateway validate bundle.json", "snds-gateway validate exports --format sarif > report.sarif"
        ),
    )(validate)
    app.command(rich_help_panel=PANEL, epilog=example("snds-gateway deidentify bundle.json --explain"))(deidentify)
    app.command(rich_help_panel=PANEL, epilog=example("snds-gateway convert bundle.json --format json"))(convert)


def generate(
    *,
    stays: Annotated[int, typer.Option("--stays", min=1, help="How many stays.")] = 200,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes.")] = 1,
    to: Annotated[Path, typer.Option("--to", file_okay=False, help="Folder that is made and filled.")],
    finess: Finess = DEFAULT_FINESS,
    rare: Annotated[
        int,
        typer.Option(
            "--rare", min=0, max=600, help="How often each rare case: twins, other PMSI fields, unit Claims, dispenses…"
        ),
    ] = 0,
) -> None:
    """Write synthetic French hospital data, marked as such, some bundles wrong on purpose.

    The folder gets one bundle a file, `units.csv` for `hospital units`, `reference/*.csv` for `reference load`, and
    `manifest.json`: what was planted and what should come of it. Identities are under the test OID of the INS:
    accepted where the contract says `--test-identities`.
    """
    from gateway.cli.generating import generate as work

    raise typer.Exit(work(to, stays=stays, seed=seed, finess=finess, rare=rare))


def push(
    paths: Inputs,
    *,
    url: Annotated[str, typer.Option("--url", help="The gateway.")] = DEFAULT_URL,
    key_file: Annotated[
        Path, typer.Option("--key-file", exists=True, dir_okay=False, help="File that holds the API key.")
    ],
    journal: Annotated[
        Path | None,
        typer.Option("--journal", dir_okay=False, help="File that keeps each answer; the next push goes on from it."),
    ] = None,
    language: Lang = Language.fr,
    form: ShownAs = Shown.human,
) -> None:
    """Send files, folders or NDJSON to a gateway, four at a time; exit 1 when something was refused.

    Answers 429 and 503 are sent again after Retry-After. Bundles go to /fhir, single resources to /fhir/TYPE/ID.
    With a journal, a push that was interrupted sends only what has no answer yet.
    """
    from gateway.cli.push_report import push as work

    as_json = form is Shown.json
    raise typer.Exit(work(paths, url=url, key_file=key_file, language=language.value, journal=journal, as_json=as_json))


def validate(
    paths: Judged,
    *,
    profile: Annotated[list[str] | None, typer.Option("--profile", help="A profile to check besides.")] = None,
    definitions: Annotated[
        list[Path] | None,
        typer.Option("--definitions", exists=True, help="More definitions: JSON, folder, package .tgz; repeatable."),
    ] = None,
    french_profiles: Profiles = FrenchProfiles.enforce,
    french_rules: Annotated[
        bool,
        typer.Option(
            "--french-rules/--no-french-rules", help="Warn of French business rules: NIR, RPPS, FINESS, PMSI."
        ),
    ] = True,
    judge: Annotated[
        list[Judgement] | None, typer.Option("--judge", help="Judge otherwise than the gateway; repeatable.")
    ] = None,
    language: Lang = Language.fr,
    form: Annotated[ReportForm, typer.Option("--format", help="Report for people or for machines.")] = ReportForm.human,
) -> None:
    """Check bundles and resources offline; exit 1 on an error.

    Reads R4 4.0.1 and FR Core 2.2.0 from the installation, nothing from the network. `-` is standard input.
    `--judge` makes it as strict as HL7's validator: unknown-extensions=error example-urls=error html-in-strings=error.
    """
    from fhir_profiles.strictness import strictness_of
    from gateway.cli.reports import write
    from gateway.cli.validation import validate as work

    reports = work(
        paths,
        profiles=profile or [],
        definitions=definitions or [],
        french_profiles=french_profiles.value,
        strictness=strictness_of(judge or ()),
        french_rules=french_rules,
    )
    raise typer.Exit(write(reports, form=form.value, language=language.value))


def deidentify(
    file: OneFile,
    *,
    explain: Annotated[bool, typer.Option("--explain", help="Say which rule kept, changed or dropped what.")] = False,
    french_profiles: Profiles = FrenchProfiles.declared,
    language: Lang = Language.fr,
) -> None:
    """Show what would leave the hospital, offline, under random keys (values begin with `demo-`)."""
    from gateway.cli.dry_runs import deidentify as work

    raise typer.Exit(work(file, explain=explain, french_profiles=french_profiles.value, language=language.value))


def convert(
    file: OneFile,
    *,
    form: Annotated[RowsForm, typer.Option("--format", help="How the rows are shown.")] = RowsForm.table,
    to: Annotated[
        Path | None, typer.Option("--to", file_okay=False, help="Folder for csv and parquet (default: ./rows).")
    ] = None,
    finess: Finess = DEFAULT_FINESS,
    french_profiles: Profiles = FrenchProfiles.declared,
    language: Lang = Language.fr,
) -> None:
    """Show which rows a file would become, offline, under random keys."""
    from gateway.cli.dry_runs import convert as work

    raise typer.Exit(
        work(
            file, form=form.value, folder=to, finess=finess, french_profiles=french_profiles.value,
            language=language.value,
        )
    )  # fmt: skip
