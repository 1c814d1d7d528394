"""D/contracts/NNNN.toml: every version of D/hospitals.toml that was in force, and what differs between two of them.

A version is kept when `serve` begins to use it. Nothing in it is secret: contracts hold no key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway import contracts
from gateway.contracts import contracts_of, terms_of_contracts
from gateway.files import READABLE_BY_GROUP, alone, write_whole
from gateway.toml_file import read_toml
from transformers.contract import Contract

FOLDER = "contracts"


@dataclass(frozen=True, slots=True)
class Difference:
    """One term of one hospital that changed; `before` or `after` is None for a hospital that came or went."""

    finess: str
    term: str
    before: str | None
    after: str | None


def versions(data_dir: Path) -> list[Path]:
    """Return the kept versions, oldest first."""
    folder = data_dir / FOLDER
    return sorted(path for path in folder.glob("*.toml") if path.stem.isdigit()) if folder.is_dir() else []


def keep_version(data_dir: Path) -> int:
    """Keep D/hospitals.toml as the newest version, unless it is that already; return its number."""
    with alone(data_dir):
        text = (data_dir / contracts.FILE).read_text(encoding="utf-8")
        kept = versions(data_dir)
        if kept and kept[-1].read_text(encoding="utf-8") == text:
            return int(kept[-1].stem)
        number = int(kept[-1].stem) + 1 if kept else 1
        write_whole(data_dir / FOLDER / f"{number:04d}.toml", text, mode=READABLE_BY_GROUP)
        return number


def differences(before: Mapping[str, Contract], after: Mapping[str, Contract]) -> Iterator[Difference]:
    """Yield what changed, hospital by hospital, term by term."""
    for finess in sorted(before.keys() | after.keys()):
        old, new = before.get(finess), after.get(finess)
        for term in terms_of_contracts():
            was, becomes = _shown(old, term), _shown(new, term)
            if was != becomes:
                yield Difference(finess, term, was, becomes)


def read_version(file: Path) -> dict[str, Contract]:
    """Read the contracts of one file, without unit tables. Raises Misconfigured."""
    return contracts_of(read_toml(file))


def _shown(contract: Contract | None, term: str) -> str | None:
    if contract is None:
        return None
    value = getattr(contract, term)
    if isinstance(value, frozenset | tuple):
        return ", ".join(sorted(map(str, value)))
    return str(value).lower() if isinstance(value, bool) else str(value)
