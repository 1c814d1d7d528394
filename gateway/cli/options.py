"""Option types that several commands share. Declarations only."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Language(StrEnum):
    """The language of messages."""

    fr = "fr"
    en = "en"


class FrenchProfiles(StrEnum):
    """How FR Core is applied to resources that do not declare it."""

    enforce = "enforce"
    report = "report"
    declared = "declared"


class Shown(StrEnum):
    """Human or machine output."""

    human = "human"
    json = "json"


DataDir = Annotated[
    Path,
    typer.Option("--data-dir", envvar="GATEWAY_DATA_DIR", help="Folder of the installation.", file_okay=False),
]
DEFAULT_DATA_DIR = Path("data")

Finess = Annotated[str, typer.Option("--finess", help="FINESS of the hospital: its e-PMSI registration.")]
Lang = Annotated[Language, typer.Option("--lang", help="Language of the messages.")]
ShownAs = Annotated[Shown, typer.Option("--format", help="Output: for people or as JSON.")]


def example(*lines: str) -> str:
    """Write the epilog that every command has."""
    return "[bold]Example[/bold]\n\n" + "\n\n".join(f"[cyan]$ {line}[/cyan]" for line in lines)
