"""A TOML file → plain values, with failures that name the file and the place and never show a value."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from fhir_profiles.errors import Misconfigured


def read_toml(file: Path) -> dict[str, Any]:
    """Read a file. Raises Misconfigured."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Misconfigured("installation-missing", f"{file} does not exist: snds-gateway init makes it") from None
    except OSError:
        raise Misconfigured("file-unreadable", f"{file} cannot be read") from None
    except ValueError as failure:  # TOML or UTF-8; the message of tomllib could quote a value, its place does not
        place = re.search(r"at (line \d+, column \d+|end of document)", str(failure))
        raise Misconfigured("file-malformed", f"{file.name} is not TOML {place[0] if place else ''}".rstrip()) from None


def tables(given: object, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the tables inside a table, by name. Raises Misconfigured for anything else."""
    if not isinstance(given, dict):
        raise Misconfigured("file-malformed", f"{place} is not a table")
    for name, table in given.items():
        if not isinstance(table, dict):
            raise Misconfigured("file-malformed", f"{place}.{name} is not a table")
        yield name, table


def refuse_unknown(given: Mapping[str, Any], names: Collection[str], place: str) -> None:
    """Raise Misconfigured for a name that nobody reads: a misspelt term must not be silently ignored."""
    for name in given:
        if name not in names:
            raise Misconfigured("name-unknown", f"{place}: {name} is not known here")


def words(given: object, place: str) -> list[str]:
    """Return a list of texts. Raises Misconfigured."""
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise Misconfigured("value-invalid", f"{place}: a list of words is expected")
    return given
