"""Declarations: quality, reference, explain. The work is in modules loaded when a command runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import DEFAULT_DATA_DIR, DataDir, Finess, Lang, Language, Shown, ShownAs, example

PANEL = "Quality"


class ReportForm(StrEnum):
    """How the report is written."""

    html = "html"
    csv = "csv"
    json = "json"
    fhir = "fhir"


def declare(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    quality = typer.Typer(help="What the tables are worth.", no_args_is_help=True, rich_markup_mode="rich")
    quality.command("report", epilog=example("snds-gateway quality report --format html --to quality.html"))(report)
    quality.command("reconcile", epilog=example("snds-gateway quality reconcile --finess 750712184 ovalide.csv"))(
        reconcile
    )
    app.add_typer(quality, name="quality", rich_help_panel=PANEL)
    quarantine = typer.Typer(help="Stays that gave no rows.", no_args_is_help=True, rich_markup_mode="rich")
    quarantine.command("find", epilog=example("snds-gateway quarantine find --finess 750712184 --visit visit.json"))(
        find
    )
    app.add_typer(quarantine, name="quarantine", rich_help_panel=PANEL)
    reference = typer.Typer(help="Operator's reference data.", no_args_is_help=True, rich_markup_mode="rich")
    reference.command("load", epilog=example("snds-gateway reference load cim10 MS_CIM_V.csv"))(load_reference)
    reference.command("check", epilog=example("snds-gateway reference check"))(check_reference)
    app.add_typer(reference, name="reference", rich_help_panel=PANEL)
    app.command(
        rich_help_panel=PANEL,
        epilog=example("snds-gateway explain T_MCO24B 0000000042"),
        # one number of a clinical row in 64 begins with a dash: it is a KEY, no option
        context_settings={"ignore_unknown_options": True},
    )(explain)


def report(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    hospital: Annotated[str | None, typer.Option("--finess", help="One hospital (else all).")] = None,
    form: Annotated[
        ReportForm, typer.Option("--format", help="fhir: a MeasureReport. Cells under 11 are masked in all.")
    ] = ReportForm.html,
    to: Annotated[Path | None, typer.Option("--to", dir_okay=False, help="File to write (else stdout).")] = None,
    language: Lang = Language.fr,
) -> None:
    """Measure conformance, completeness and plausibility of the tables, and say what to repair first."""
    from gateway.cli.quality import report as work

    raise typer.Exit(work(data_dir, hospital=hospital, form=form.value, language=language.value, to=to))


def reconcile(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="month;stays;sessions;…")],
    *,
    finess: Finess,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    form: ShownAs = Shown.human,
    language: Lang = Language.fr,
) -> None:
    """Compare monthly counts with the hospital's own PMSI return; 1 if they differ.

    FILE is text with a header: `month` (2024-03) and any of `stays`, `sessions`, `units`, `deaths`, in English or in
    French (`mois`, `séjours`, `séances`, `RUM`, `décès`).
    """
    from gateway.cli.reconciling import reconcile as work

    raise typer.Exit(work(data_dir, finess, file, as_json=form is Shown.json, language=language.value))


def find(
    *,
    finess: Finess,
    patient: Annotated[
        Path | None, typer.Option("--patient", exists=True, dir_okay=False, help="A FHIR Patient.")
    ] = None,
    visit: Annotated[
        Path | None, typer.Option("--visit", exists=True, dir_okay=False, help="A FHIR Encounter.")
    ] = None,
    source: Annotated[str, typer.Option("--source", help="The system that the resource's id belongs to.")] = "main",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    form: ShownAs = Shown.human,
    language: Lang = Language.fr,
) -> None:
    """Say what became of the stays of a patient or visit, and how to repair one in quarantine.

    Runs inside the hospital: it needs the hospital's keys. The file is read and never stored.
    """
    from gateway.cli.quarantine import find as work

    if (patient is None) == (visit is None):
        raise typer.BadParameter("one of --patient and --visit is needed")
    file = patient or visit
    assert file is not None
    wanted = "Patient" if patient else "Encounter"
    done = work(
        data_dir, finess, file, wanted=wanted, source=source, language=language.value, as_json=form is Shown.json
    )
    raise typer.Exit(done)


def load_reference(
    name: Annotated[str, typer.Argument(metavar="NAME", help="cim10, ccam, pmsi-geography, legal-finess, natures…")],
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The table, as CSV.")],
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Check a table and keep its right lines; wrong ones are named. It counts from the writer's next start."""
    from gateway.cli.reference import load_table as work

    raise typer.Exit(work(data_dir, name, file))


def check_reference(*, data_dir: DataDir = DEFAULT_DATA_DIR, form: ShownAs = Shown.human) -> None:
    """Show every table that may be loaded: what is held, and what stands where there is none."""
    from gateway.cli.reference import check_tables as work

    raise typer.Exit(work(data_dir, as_json=form is Shown.json))


def explain(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A published table: T_MCO24B, T_EDS24BIO, IR_BEN_R…")],
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY", help="RSA_NUM, ETA_NUM/RSA_NUM, ETA_NUM/RSA_NUM/order, BIO_RES_NUM…, BEN_NIR_PSA."
        ),
    ],
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    every_column: Annotated[bool, typer.Option("--all", help="Empty columns too.")] = False,
    form: ShownAs = Shown.human,
    language: Lang = Language.fr,
) -> None:
    """Say where a row comes from: its events and versions, and for each column the resources, element and rule.

    Needs the tables' key. Rows are pseudonymised personal data.
    """
    from gateway.cli.explaining import explain_row as work

    done = work(data_dir, table, key, every_column=every_column, as_json=form is Shown.json, language=language.value)
    raise typer.Exit(done)
