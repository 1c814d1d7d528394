"""Imports go one way: fhir_profiles ← transformers ← streaming ← gateway (DESIGN §2)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
ORDER = ("fhir_profiles", "transformers", "streaming", "gateway")
MODULES = sorted(path for package in ORDER for path in (PROJECT / package).rglob("*.py"))
# keyed hashes of what is posted; names of published texts, which never see it (tests/privacy/test_no_other_hash.py)
HASHING = {"transformers/deidentify/pseudonyms.py", "fhir_profiles/digests.py"}


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_module_imports_only_from_the_left(path: Path) -> None:
    package = path.relative_to(PROJECT).parts[0]
    right = set(ORDER[ORDER.index(package) + 1 :])

    assert not imported(path) & right


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_hashing_lives_in_two_modules(path: Path) -> None:
    name = path.relative_to(PROJECT).as_posix()

    if name not in HASHING:
        assert not imported(path) & {"hashlib", "hmac"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_module_stays_readable_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_our_packages_are_the_ones_imported() -> None:
    import streaming
    import transformers

    for package in (streaming, transformers):
        assert package.__file__ is not None
        assert Path(package.__file__).resolve().is_relative_to(PROJECT)
