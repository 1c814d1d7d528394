"""What the demonstration shows, as rich text: accounts, a refusal in French, tables, an analyst's question."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.syntax import Syntax
from rich.text import Text

from fhir_profiles.issues import ISSUE_COLUMN, ISSUE_LINE, REPAIR
from gateway.cli import lake, screen
from gateway.cli.pushing import Summary
from gateway.cli.server_process import Server
from streaming.accounts import Status
from streaming.aggregates import MINIMUM, Tally, count, publishable

SEXES = ("men", "women")
ISSUES_SHOWN = 3
CHAPTERS = (
    ("I", "A00", "B99", "Maladies infectieuses"), ("II", "C00", "D48", "Tumeurs"),
    ("III", "D50", "D89", "Sang, immunité"), ("IV", "E00", "E90", "Endocriniennes, nutritionnelles"),
    ("V", "F00", "F99", "Troubles mentaux"), ("VI", "G00", "G99", "Système nerveux"),
    ("VII", "H00", "H59", "Œil"), ("VIII", "H60", "H95", "Oreille"),
    ("IX", "I00", "I99", "Appareil circulatoire"), ("X", "J00", "J99", "Appareil respiratoire"),
    ("XI", "K00", "K93", "Appareil digestif"), ("XII", "L00", "L99", "Peau"),
    ("XIII", "M00", "M99", "Système ostéo-articulaire"), ("XIV", "N00", "N99", "Appareil génito-urinaire"),
    ("XV", "O00", "O99", "Grossesse, accouchement"), ("XVI", "P00", "P96", "Période périnatale"),
    ("XVII", "Q00", "Q99", "Malformations"), ("XVIII", "R00", "R99", "Symptômes"),
    ("XIX", "S00", "T98", "Lésions traumatiques"), ("XXI", "Z00", "Z99", "Motifs de recours"),
    ("XXII", "U00", "U99", "Usage particulier"),
)  # fmt: skip


def title(stays: int) -> RenderableType:
    """Return the head of the story."""
    return Panel(
        Text.from_markup(
            f"[bold]A fictitious hospital posts {stays} stays in FHIR R4;[/bold] the gateway checks them\n"
            "against FR Core, takes every identity away, and writes tables shaped like\n"
            "the SNDS. All data are synthetic."
        ),
        title="snds-gateway demo",
        title_align="left",
        border_style="cyan",
    )


def accounts(now: Status, summary: Summary, manifest: dict[str, Any]) -> RenderableType:
    """Return the accounts, beside what the generator planted."""
    expected = manifest["expected"]
    stays = now.stays
    rows = [
        ("entries received", now.received, expected["received"]),
        ("entries refused (wrong on purpose)", now.refused, expected["refused"]),
        ("entries published", now.published, expected["received"] - expected["refused"]),
        ("events in the log", now.events, None),
        ("events applied", now.applied, None),
        ("resources superseded by a newer version", now.superseded, None),
        ("stays written", stays.written, expected["stays"]["written"]),
        ("stays open", stays.open, expected["stays"]["open"]),
        ("stays in quarantine", stays.quarantined, expected["stays"]["quarantined"]),
    ]
    table = screen.grid(None, ("account", "number", "planted", " "), (), right="number planted")
    for name, number, planted in rows:
        mark = "" if planted is None else "[green]✓[/green]" if planted == number else "[yellow]≠[/yellow]"
        table.add_row(name, screen.shown(number), screen.shown(planted), mark)
    rate = f"{summary.requests} requests, {summary.requests / max(summary.seconds, 0.001):.0f} a second"
    lines: list[RenderableType] = [_heading("What came of it"), table, Text(rate, style="dim")]
    lines += [Text(f"quarantine: {number} × {reason}", style="yellow") for reason, number in now.quarantine]
    return Group(*lines)


def refusal(file: str, outcome: dict[str, Any]) -> RenderableType:
    """Return the answer to one refused bundle, in French, as its sender reads it."""
    errors = [one for one in outcome.get("issue", []) if one["severity"] in ("error", "fatal")]
    lines = []
    for one in errors[:ISSUES_SHOWN]:
        facts = {extension["url"]: next(iter(v for k, v in extension.items() if k != "url"))
                 for extension in one.get("extension", [])}  # fmt: skip
        place = f"ligne {facts[ISSUE_LINE]}, colonne {facts.get(ISSUE_COLUMN, 1)}" if ISSUE_LINE in facts else ""
        lines.append(f"[red]✗[/red] {screen.escaped(one['details']['text'])}")
        lines.append(f"  [cyan]{screen.escaped((one.get('expression') or [''])[0])}[/cyan] [dim]{place}[/dim]")
        if REPAIR in facts:
            lines.append(f"  [green]→ {screen.escaped(str(facts[REPAIR]))}[/green]")
    if len(errors) > ISSUES_SHOWN:
        lines.append(f"[dim]… et {len(errors) - ISSUES_SHOWN} autres[/dim]")
    return Group(
        _heading("One refused bundle, as its sender reads it"),
        Panel(Text.from_markup("\n".join(lines) or "—"), title=file, title_align="left", border_style="red"),
    )


def tables(connection: Any) -> RenderableType:  # noqa: ANN401 — duckdb has no type of its own for it
    """Return the published tables with their numbers of rows, years side by side, small ones masked."""
    counts: dict[str, dict[str, str]] = {}
    years: set[str] = set()
    for name in lake.tables(connection):
        [(rows,)] = connection.execute(f'SELECT count(*) FROM "{name}"').fetchall()  # noqa: S608 — official names
        year = name[5:7] if name.startswith(("T_MCO", "T_EDS")) else ""
        family = f"{name[:5]}aa{name[7:]}" if year else name
        counts.setdefault(family, {})["20" + year if year else "all"] = masked(count(rows)) if rows else "0"
        years |= {"20" + year} if year else set()
    columns = [*sorted(years), "all"]
    rows_shown = [(family, *(found.get(column) for column in columns)) for family, found in sorted(counts.items())]
    return Group(
        _heading("The tables (rows by year of exit)"),
        screen.grid(None, ("table", *columns), rows_shown, right=" ".join(columns)),
    )


def question(connection: Any) -> RenderableType:  # noqa: ANN401
    """Return an analyst's question, its SQL, and its answer with small cells masked."""
    query = chapters_by_sex(lake.tables(connection))
    _, rows = lake.ask(connection, query)
    names = {number: name for number, _, _, name in CHAPTERS}
    counted: dict[tuple[str, ...], Tally] = {
        (number, sex): Tally(stays) for number, *both in rows for sex, stays in zip(SEXES, both, strict=True)
    }
    cells = {cell.group: cell.stays for cell in publishable(counted, totals=False)}
    shown = [(one, names.get(one, ""), *(masked(cells[one, sex]) for sex in SEXES)) for one, _, _ in rows]
    return Group(
        _heading("A question: stays by chapter of the principal diagnosis and sex"),
        Syntax(query, "sql", theme="ansi_dark", background_color="default", word_wrap=True),
        screen.grid(None, ("chapter", "CIM-10", "men", "women"), shown, right="men women"),
        Text(f"Cells under {MINIMUM} are masked, as the SNDS asks of every result that is shown.", style="dim"),
    )


def chapters_by_sex(names: Sequence[str]) -> str:
    """Write the query over every year that is published, with the filters that SNDS programs use."""
    years = sorted(name[5:7] for name in names if name.startswith("T_MCO") and name.endswith("B"))
    stays = "\n    UNION ALL\n".join(
        f"    SELECT DGN_PAL, COD_SEX, NIR_RET, NAI_RET, SEX_RET, GRG_GHM\n"  # noqa: S608
        f"    FROM T_MCO{year}B JOIN T_MCO{year}C USING (ETA_NUM, RSA_NUM)"
        for year in years
    )
    bounds = [f"('{number}', '{first}', '{last}')" for number, first, last, _ in CHAPTERS]
    chapters = ",\n".join("    " + ", ".join(bounds[at : at + 4]) for at in range(0, len(bounds), 4))
    return (
        f"WITH stay AS (\n{stays}\n),\nchapter (number, first, last) AS (VALUES\n{chapters}\n)\n"
        "SELECT number, count(*) FILTER (COD_SEX = '1') AS men, count(*) FILTER (COD_SEX = '2') AS women\n"
        "FROM stay JOIN chapter ON left(DGN_PAL, 3) BETWEEN first AND last\n"
        "WHERE NIR_RET = '0' AND NAI_RET = '0' AND SEX_RET = '0' AND GRG_GHM NOT LIKE '90%'\n"
        "GROUP BY number ORDER BY men + women DESC, number"
    )


def masked(number: int | None) -> str:
    """Return a published cell as it is shown; one that is masked or empty says no more than that it is small."""
    return screen.shown(number) if number else f"< {MINIMUM}"


def end(seconds: float) -> RenderableType:
    """Say how long it took."""
    return Text(f"{seconds:.0f} s in all", style="dim")


def what_next(data_dir: Path, finess: str, *, server: Server | None) -> RenderableType:
    """Say where everything is and what to try."""
    where = [
        (f"{data_dir}/bundles", "what was posted (identities: fictitious), manifest.json"),
        (f"{data_dir}/lake/snds.duckdb", "what analysts open, read-only: DuckDB, R, Python; Parquet beside it"),
        (f"{data_dir}/events.sqlite", "the log of de-identified events"),
        (f"{data_dir}/hospitals.toml", "the hospital's contract"),
        (f"{data_dir}/server.log", "what the gateway said"),
    ]
    run = command()
    wrong = f"{data_dir}/bundles/*-wrong-*.json"
    asked = "SELECT DGN_PAL, count(*) FROM T_MCO24B GROUP BY 1 ORDER BY 2 DESC"
    tries = [
        f'{run} sql --data-dir {data_dir} "{asked}"',
        f"{run} events tail --data-dir {data_dir} --from 1",
        f"{run} validate {wrong}",
        f"{run} deidentify {data_dir}/bundles/000001-day-surgery.json --explain",
        f"{run} export --data-dir {data_dir} --to extraction --format csv",
    ]
    width = max(len(place) for place, _ in where)
    lines: list[RenderableType] = [
        _heading("Where it is"),
        _as_it_is("\n".join(f"{place:<{width}}  {what}" for place, what in where)),
        _heading("Try"),
        _as_it_is("\n".join(tries), style="cyan"),
    ]
    if server is not None:
        lines.append(
            Text.from_markup(
                f"\nThe gateway stays up at [bold]{server.url}[/bold] (key: {data_dir}/credentials/{finess}.key);"
                f" end it with: [bold]kill {server.pid}[/bold]"
            )
        )
    else:
        lines.append(_as_it_is(f"{run} serve --data-dir {data_dir}", style="cyan"))
    return Group(*lines)


def command() -> str:
    """Return how this installation's command is called from here."""
    found = shutil.which("snds-gateway")
    if found is not None and Path(found).resolve().parent == Path(sys.executable).parent.resolve():
        return "snds-gateway"
    beside = Path(sys.executable).parent / "snds-gateway"
    inside = beside.is_relative_to(Path.cwd())
    return str(beside.relative_to(Path.cwd()) if inside else beside)


def _as_it_is(text: str, *, style: str = "") -> Text:
    """Return text whose lines are never folded: they are there to be copied."""
    return Text(text, style=style, no_wrap=True, overflow="ignore")


def _heading(text: str) -> RenderableType:
    return Group(Text(), Rule(Text(text, style="bold"), align="left", style="cyan"))
