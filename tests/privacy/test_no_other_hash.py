"""Nobody hashes outside the two modules that may: a keyless digest of an identity would be reversed in hours (P15)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("fhir_profiles", "transformers", "streaming", "gateway")
HASHES = frozenset({"hashlib", "_hashlib", "_sha256", "_sha1", "_md5", "_blake2"})
KEYED = "transformers/deidentify/pseudonyms.py"
DEFINITIONS = "fhir_profiles/digests.py"  # names of published texts; it never sees a posted value


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


def test_hash_functions_are_imported_in_two_modules() -> None:
    assert {path for path, tree in modules() if imported(tree) & HASHES} == {KEYED, DEFINITIONS}


def test_what_names_published_texts_is_never_used_where_posted_values_are_read() -> None:
    """Profiles, rules, the operator's reference data and the tables of the product: nothing that a hospital sends."""
    users = {
        path
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "fhir_profiles.digests"
    }

    assert users == {
        "fhir_profiles/compiler/cache.py",
        "fhir_profiles/compiler/profiles.py",
        "fhir_profiles/fhirpath/translate.py",
        "gateway/cli/explaining.py",
        "streaming/reference_store.py",
        "transformers/deidentify/rules.py",
    }


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
