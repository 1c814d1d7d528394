"""D/definitions: the FHIR packages that an operator added to those of the product."""

from __future__ import annotations

from pathlib import Path

FOLDER = "definitions"


def added_definitions(data_dir: Path) -> tuple[Path, ...]:
    """Return the added packages and folders, in order of name: what `load_validator` takes."""
    folder = data_dir / FOLDER
    return tuple(sorted(path for path in folder.iterdir() if path.name[0] != ".")) if folder.is_dir() else ()
