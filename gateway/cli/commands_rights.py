"""Declarations: rights oppose, withdraw, erase, receipt. The work is in modules loaded when a command runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import DEFAULT_DATA_DIR, DataDir, Finess, example

PANEL = "Rights of persons"


class Ground(StrEnum):
    """Why a person is erased."""

    request = "request"
    objection = "objection"
    withdrawn_consent = "withdrawn-consent"
    unlawful = "unlawful"
    obligation = "obligation"
    no_longer_needed = "no-longer-needed"


PatientFile = Annotated[
    Path,
    typer.Option(
        "--patient",
        exists=True,
        dir_okay=False,
        help="A FHIR Patient, or a Bundle of a Patient and its Coverage (to oppose, also the Consent that says so). "
        "It is read and never stored.",
    ),
]
Source = Annotated[str, typer.Option("--source", help="The system whose RESTful id the Patient carries.")]
WholePlatform = Annotated[bool, typer.Option("--platform", help="In every hospital of the platform.")]


def declare(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    rights = typer.Typer(help="Rights of persons.", no_args_is_help=True, rich_markup_mode="rich")
    who = "--finess 750712184 --patient patient.json"
    rights.command("oppose", epilog=example(f"snds-gateway rights oppose {who}"))(oppose)
    rights.command("withdraw", epilog=example(f"snds-gateway rights withdraw {who}"))(withdraw)
    rights.command("erase", epilog=example(f"snds-gateway rights erase {who} --ground withdrawn-consent"))(erase)
    rights.command("restrict", epilog=example(f"snds-gateway rights restrict {who}"))(restrict)
    rights.command("lift", epilog=example(f"snds-gateway rights lift {who}"))(lift)
    rights.command("receipt", epilog=example("snds-gateway rights receipt 5x2kQvUZPZJrYqzrzkHc1g --verify"))(receipt)
    app.add_typer(rights, name="rights", rich_help_panel=PANEL)


def oppose(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    finess: Finess,
    patient: PatientFile,
    source: Source = "main",
    platform: WholePlatform = False,
) -> None:
    """Take a person out who objects: log, tables and files within a minute; prints the number of the receipt."""
    from gateway.cli.rights import begin as work

    raise typer.Exit(work(data_dir, finess, patient, kind="opposition", source=source, platform=platform))


def withdraw(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    finess: Finess,
    patient: PatientFile,
    source: Source = "main",
    platform: WholePlatform = False,
) -> None:
    """End the oppositions and erasures of a person: what is sent from now on is taken in again."""
    from gateway.cli.rights import withdraw as work

    raise typer.Exit(work(data_dir, finess, patient, source=source, platform=platform))


def erase(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    finess: Finess,
    patient: PatientFile,
    ground: Annotated[Ground, typer.Option("--ground", help="Why.")] = Ground.request,
    source: Source = "main",
    platform: WholePlatform = False,
) -> None:
    """Erase a person, under every legal basis; the person stays out when sent again, until `rights withdraw`."""
    from gateway.cli.rights import begin as work

    raise typer.Exit(
        work(data_dir, finess, patient, kind="erasure", source=source, platform=platform, ground=ground.value)
    )


def restrict(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    finess: Finess,
    patient: PatientFile,
    ground: Annotated[Ground, typer.Option("--ground", help="Why.")] = Ground.request,
    source: Source = "main",
    platform: WholePlatform = False,
) -> None:
    """Limit a person's data to being kept (GDPR art. 18): no reader sees its rows until `rights lift`."""
    from gateway.cli.rights import begin as work

    raise typer.Exit(
        work(data_dir, finess, patient, kind="limitation", source=source, platform=platform, ground=ground.value)
    )


def lift(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    finess: Finess,
    patient: PatientFile,
    source: Source = "main",
    platform: WholePlatform = False,
) -> None:
    """End the limitation on a person: readers see its rows again."""
    from gateway.cli.rights import withdraw as work

    raise typer.Exit(work(data_dir, finess, patient, source=source, platform=platform, kinds=("limitation",)))


def receipt(
    number: Annotated[str, typer.Argument(metavar="ID", help="The number of a receipt.")],
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read a receipt (JSON) from standard input and check its signature.")
    ] = False,
) -> None:
    """Show the signed receipt of an act, or check one that somebody shows: exit 1 when it was changed."""
    from gateway.cli.rights import show as work

    raise typer.Exit(work(data_dir, number, verify=verify))
