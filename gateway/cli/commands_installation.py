"""Declarations: init, hospital, config, doctor. The work is in modules loaded when a command runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import DEFAULT_DATA_DIR, DataDir, Finess, FrenchProfiles, Shown, ShownAs, example

PANEL = "Installation"


class LegalForm(StrEnum):
    """What the hospital is."""

    public = "public"
    espic = "espic"
    private = "private"


Name = Annotated[str, typer.Option("--name", help="Name of the hospital (SOC_RAI).")]
French = Annotated[FrenchProfiles, typer.Option("--french-profiles", help="How FR Core is applied to its resources.")]
Legal = Annotated[LegalForm, typer.Option("--legal-form", help="Decides ETA_NUM and STA_ETA.")]
Source = Annotated[str, typer.Option("--source", help="The system that sends: RESTful ids are its own.")]
TestIdentities = Annotated[bool, typer.Option("--test-identities", help="Accept INS under the test and demo OIDs.")]
Potential = Annotated[
    str | None,
    typer.Option(
        "--potential-identifiers",
        metavar="LIST",
        help="Switches that are on, by commas: care-dates, birth-month, death-date, commune, death-commune.",
    ),
]
PlatformKey = Annotated[
    Path | None,
    typer.Option("--platform-key", exists=True, dir_okay=False, help="The platform's key file (else one is made)."),
]


def declare(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    app.command(
        rich_help_panel=PANEL,
        epilog=example('snds-gateway init --data-dir data --finess 750712184 --name "CHU Fictif"'),
    )(init)
    hospital = typer.Typer(help="Hospitals: contracts, API keys, units.", no_args_is_help=True, rich_markup_mode="rich")
    hospital.command("add", epilog=example("snds-gateway hospital add --finess 690781810 --source LABO"))(add)
    hospital.command("list", epilog=example("snds-gateway hospital list"))(list_hospitals)
    hospital.command("rotate-key", epilog=example("snds-gateway hospital rotate-key --finess 690781810"))(rotate_key)
    hospital.command("units", epilog=example("snds-gateway hospital units --finess 690781810 units.csv"))(units)
    app.add_typer(hospital, name="hospital", rich_help_panel=PANEL)
    contract = typer.Typer(help="Versions of the contracts.", no_args_is_help=True, rich_markup_mode="rich")
    contract.command("diff", epilog=example("snds-gateway contract diff", "snds-gateway contract diff proposed.toml"))(
        diff
    )
    contract.command("history", epilog=example("snds-gateway contract history"))(history)
    app.add_typer(contract, name="contract", rich_help_panel=PANEL)
    config = typer.Typer(help="Settings.", no_args_is_help=True, rich_markup_mode="rich")
    config.command("check", epilog=example("snds-gateway config check --data-dir data"))(check)
    app.add_typer(config, name="config", rich_help_panel=PANEL)
    app.command(rich_help_panel=PANEL, epilog=example("snds-gateway doctor --data-dir data"))(doctor)


def init(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    finess: Finess,
    name: Name = "",
    french_profiles: French = FrenchProfiles.enforce,
    legal_form: Legal = LegalForm.public,
    source: Source = "main",
    test_identities: TestIdentities = False,
    potential_identifiers: Potential = None,
    platform_key: PlatformKey = None,
) -> None:
    """Make an installation: settings, keys, the first hospital's contract and its API key (every scope)."""
    from gateway.cli.hospitals import Terms
    from gateway.cli.hospitals import init as work

    terms = Terms(
        finess=finess,
        name=name,
        french_profiles=french_profiles.value,
        legal_form=legal_form.value,
        source=source,
        test_identities=test_identities,
        potential_identifiers=potential_identifiers,
    )
    raise typer.Exit(work(data_dir, terms, platform_key=platform_key))


def add(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    finess: Finess,
    name: Name = "",
    french_profiles: French = FrenchProfiles.enforce,
    legal_form: Legal = LegalForm.public,
    source: Source = "main",
    test_identities: TestIdentities = False,
    potential_identifiers: Potential = None,
    scopes: Annotated[
        str, typer.Option("--scopes", metavar="LIST", help="By commas: write, validate, rights, operate.")
    ] = "write,validate",
    platform_key: PlatformKey = None,
) -> None:
    """Add a hospital, or another source of a known one: its API key goes to credentials/FINESS-SOURCE.key."""
    from gateway.cli.hospitals import Terms
    from gateway.cli.hospitals import add as work

    terms = Terms(
        finess=finess,
        name=name,
        french_profiles=french_profiles.value,
        legal_form=legal_form.value,
        source=source,
        test_identities=test_identities,
        potential_identifiers=potential_identifiers,
    )
    raise typer.Exit(work(data_dir, terms, scopes=scopes, platform_key=platform_key))


def list_hospitals(*, data_dir: DataDir = DEFAULT_DATA_DIR, form: ShownAs = Shown.human) -> None:
    """List hospitals, their contracts, sources and scopes."""
    from gateway.cli.hospitals import list_hospitals as work

    raise typer.Exit(work(data_dir, as_json=form is Shown.json))


def rotate_key(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    finess: Finess,
    source: Source = "main",
    overlap_hours: Annotated[
        float, typer.Option("--overlap-hours", min=0, metavar="HOURS", help="How long the old key still opens.")
    ] = 0,
) -> None:
    """Make a new API key; the old one ends at once, or after the overlap."""
    from gateway.cli.hospitals import rotate_key as work

    raise typer.Exit(work(data_dir, finess, source=source, overlap_hours=overlap_hours))


def units(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE.csv", exists=True, dir_okay=False, help="unit,finess_geo,type1,type2"),
    ],
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    finess: Finess,
) -> None:
    """Load the unit table of a hospital: the site and the authorisation types of each unit."""
    from gateway.cli.hospitals import units as work

    raise typer.Exit(work(data_dir, finess, file))


def diff(
    proposed: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Another hospitals.toml (else: D's own)."),
    ] = None,
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    version: Annotated[int | None, typer.Option("--from", min=1, help="A kept version (else the last).")] = None,
    form: ShownAs = Shown.human,
) -> None:
    """Say what would change against the contracts in force; exit 1 when something would."""
    from gateway.cli.contract import diff as work

    raise typer.Exit(work(data_dir, proposed, version=version, as_json=form is Shown.json))


def history(*, data_dir: DataDir = DEFAULT_DATA_DIR, form: ShownAs = Shown.human) -> None:
    """List the versions of the contracts that were in force, with what each changed."""
    from gateway.cli.contract import history as work

    raise typer.Exit(work(data_dir, as_json=form is Shown.json))


def check(*, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Read settings, contracts and keys as `serve` does; exit 78 when it would not start."""
    from gateway.cli.diagnosis import check as work

    raise typer.Exit(work(data_dir))


def doctor(*, data_dir: DataDir = DEFAULT_DATA_DIR, form: ShownAs = Shown.human) -> None:
    """Examine an installation: disk, clock, keys and permissions, log, state, lake, versions."""
    from gateway.cli.diagnosis import doctor as work

    raise typer.Exit(work(data_dir, as_json=form is Shown.json))
