"""Nobody hashes outside the two modules that may: a keyless digest of an identity would be reversed in hours (P15)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("fhir_profiles", "transformers", "streaming", "gateway")
HASHES = frozenset({"hashlib", "_hashlib", "_sha256", "_sha1", "_md5", "_blake2"})
KEYED = "transformers/deidentify/pseudonyms.py"
# Digests of published definitions and expressions, to name what is compiled; they never see a posted value.
DEFINITIONS = frozenset(
    {
        "fhir_profiles/compiler/cache.py",
        "fhir_profiles/compiler/profiles.py",
        "fhir_profiles/fhirpath/translate.py",
    }
)


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_hash_functions_are_imported_where_keys_or_definitions_are_alone() -> None:
    found = {path for path, tree in modules() if imported(tree) & HASHES}

    assert KEYED in found  # the lint sees what it must see
    assert found - DEFINITIONS == {KEYED}


def test_hmac_is_used_elsewhere_to_compare_and_for_nothing_else() -> None:
    used = {
        (path, node.attr)
        for path, tree in modules()
        if path != KEYED
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "hmac"
    }

    assert {name for _, name in used} <= {"compare_digest"}, sorted(used)


def test_the_built_in_hash_is_never_used_on_values() -> None:
    """`hash()` is salted a process: a pseudonym made with it would differ at each start."""
    calls = [
        (path, node.lineno)
        for path, tree in modules()
        if path.startswith("transformers/deidentify/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hash"
    ]

    assert [path for path, _ in calls] == ["transformers/deidentify/pseudonyms.py"]  # Key.__hash__, of its key id
