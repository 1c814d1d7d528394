"""Declarations: keys, audit, topics, profiles, dead letters, rules. Work is in modules loaded when a command runs."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import DEFAULT_DATA_DIR, DataDir, Lang, Language, Shown, ShownAs, example

PANEL = "Operation"


Code = Annotated[str | None, typer.Option("--code", help="Those with this code.")]
PatientKey = Annotated[str | None, typer.Option("--patient-key", metavar="KEY", help="Those with this event key.")]


def declare(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    keys = typer.Typer(help="Keys of pseudonyms.", no_args_is_help=True, rich_markup_mode="rich")
    keys.command("check", epilog=example("snds-gateway keys check --data-dir data"))(check_keys)
    keys.command("rotate", epilog=example("snds-gateway keys rotate tables --data-dir data"))(rotate_key)
    app.add_typer(keys, name="keys", rich_help_panel=PANEL)
    audit = typer.Typer(help="The trail of who did what.", no_args_is_help=True, rich_markup_mode="rich")
    audit.command("verify", epilog=example("snds-gateway audit verify --data-dir data"))(verify_audit)
    audit.command("export", epilog=example("snds-gateway audit export --since 2026-01-01 --to audit.ndjson"))(
        export_audit
    )
    app.add_typer(audit, name="audit", rich_help_panel=PANEL)
    topics = typer.Typer(help="Topics of Kafka.", no_args_is_help=True, rich_markup_mode="rich")
    topics.command("create", epilog=example("snds-gateway topics create --data-dir data"))(create_topics)
    app.add_typer(topics, name="topics", rich_help_panel=PANEL)
    profiles = typer.Typer(help="FHIR packages and profiles.", no_args_is_help=True, rich_markup_mode="rich")
    profiles.command("list", epilog=example("snds-gateway profiles list"))(list_profiles)
    profiles.command("show", epilog=example("snds-gateway profiles show fr-core-patient"))(show_profile)
    profiles.command("add", epilog=example("snds-gateway profiles add package.tgz"))(add_package)
    app.add_typer(profiles, name="profiles", rich_help_panel=PANEL)
    letters = typer.Typer(help="Events that could not be applied.", no_args_is_help=True, rich_markup_mode="rich")
    letters.command("list", epilog=example("snds-gateway deadletter list --code hospital-unknown"))(list_letters)
    letters.command("show", epilog=example("snds-gateway deadletter show 1042"))(show_letter)
    letters.command("replay", epilog=example("snds-gateway deadletter replay --all"))(replay_letters)
    app.add_typer(letters, name="deadletter", rich_help_panel=PANEL)
    rules = typer.Typer(help="Rules of de-identification.", no_args_is_help=True, rich_markup_mode="rich")
    rules.command("report", epilog=example("snds-gateway rules report --type Patient"))(report_rules)
    app.add_typer(rules, name="rules", rich_help_panel=PANEL)


def check_keys(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    history: Annotated[
        bool,
        typer.Option("--history", help="Count the persons whose level 1 is under a replaced platform key; 1 if any."),
    ] = False,
    form: ShownAs = Shown.human,
) -> None:
    """Read every key file; show the id of each, never a key. Exit 78 for one that is weak, shared or readable.

    With --history (where the tables are: the data folder, or a table writer's) also who was not sent again since
    `keys rotate platform`: every fact is read once.
    """
    from gateway.cli.operation import check_keys as work

    raise typer.Exit(work(data_dir, with_history=history, as_json=form is Shown.json))


class Rotated(StrEnum):
    """The keys that a command can renew. Keys of hospitals never rotate: their local ids would all be new."""

    tables = "tables"
    platform = "platform"


def rotate_key(
    key: Annotated[
        Rotated,
        typer.Argument(
            metavar="KEY",
            help="tables: level 2 of every identifier in the tables; platform: level 1 of what chains persons.",
        ),
    ],
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    platform_key: Annotated[
        Path | None,
        typer.Option(
            "--platform-key",
            exists=True,
            dir_okay=False,
            help="For platform: the key that the platform gave (else made).",
        ),
    ] = None,
) -> None:
    """Renew a key. Tables: every row is computed anew, without any identity; no table writer may run meanwhile.

    Platform: gateways take it without a stop; a person gets its new value when its Patient is sent again, and acts on
    rights hold all the while.
    """
    from gateway.cli.key_rotation import rotate_platform, rotate_tables

    raise typer.Exit(rotate_tables(data_dir) if key is Rotated.tables else rotate_platform(data_dir, platform_key))


def verify_audit(*, data_dir: DataDir = DEFAULT_DATA_DIR, form: ShownAs = Shown.human) -> None:
    """Check that no line of the audit was edited, removed, moved or added; exit 1 and the first broken line if so."""
    from gateway.cli.audit import verify as work

    raise typer.Exit(work(data_dir, as_json=form is Shown.json))


def export_audit(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    to: Annotated[Path | None, typer.Option("--to", dir_okay=False, help="File to write (else stdout).")] = None,
    since: Annotated[datetime | None, typer.Option("--since", help="Lines from this moment on (UTC).")] = None,
) -> None:
    """Write the lines of the audit that verify, as JSON lines."""
    from gateway.cli.audit import export as work

    raise typer.Exit(work(data_dir, to, since=since.replace(tzinfo=UTC) if since else None))


def create_topics(*, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Create the topics that do not exist, with the partitions and retention that the promises need."""
    from gateway.cli.operation import create_topics as work

    raise typer.Exit(work(data_dir))


def list_profiles(*, data_dir: DataDir = DEFAULT_DATA_DIR, form: ShownAs = Shown.human) -> None:
    """List the packages: those of the product, and those added to the installation."""
    from gateway.cli.profiles import list_packages as work

    raise typer.Exit(work(data_dir, as_json=form is Shown.json))


def show_profile(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="Its canonical, or the last part of it.")],
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    language: Lang = Language.fr,
    form: ShownAs = Shown.human,
) -> None:
    """Show a profile: what it demands of each element."""
    from gateway.cli.profiles import show_profile as work

    raise typer.Exit(work(data_dir, profile, language=language.value, as_json=form is Shown.json))


def add_package(
    package: Annotated[Path, typer.Argument(metavar="PACKAGE.tgz", exists=True, help="A FHIR package, or a folder.")],
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Add a FHIR package to the installation; `serve` reads it at its next start."""
    from gateway.cli.profiles import add_package as work

    raise typer.Exit(work(data_dir, package))


def report_rules(
    *,
    only: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="One FHIR type or data type.")] = None,
    language: Lang = Language.fr,
    form: ShownAs = Shown.human,
) -> None:
    """Say what happens to each element: kept, transformed and how, used, or dropped and why."""
    from gateway.cli.rules_report import report as work

    raise typer.Exit(work(only=only, language=language.value, as_json=form is Shown.json))


def list_letters(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    code: Code = None,
    patient_key: PatientKey = None,
    form: ShownAs = Shown.human,
) -> None:
    """List the events that could not be applied to the tables, with the code of why."""
    from gateway.cli.dead_letters import list_letters as work

    raise typer.Exit(work(data_dir, code=code, key=patient_key, as_json=form is Shown.json))


def show_letter(
    offset: Annotated[int, typer.Argument(metavar="OFFSET", help="Its offset in the log.")],
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    partition: Annotated[int, typer.Option("--partition", min=0, help="Its partition (embedded log: 0).")] = 0,
) -> None:
    """Show one dead letter as JSON, with its de-identified event."""
    from gateway.cli.dead_letters import show_letter as work

    raise typer.Exit(work(data_dir, offset, partition=partition))


def replay_letters(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    code: Code = None,
    patient_key: PatientKey = None,
) -> None:
    """Apply dead letters once the fault is mended; exit 1 when some still cannot be."""
    from gateway.cli.dead_letters import replay as work

    raise typer.Exit(work(data_dir, code=code, key=patient_key, everything=everything))
