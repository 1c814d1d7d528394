"""A real `serve` does not start on weak keys or wrong rules: exit 78, one line that names what is wrong (P14, P16)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.installation import COMMAND, FINESS, Installation, free_port
from transformers.deidentify.rulebook import packaged_text

pytestmark = pytest.mark.slow

# The product with another rules.toml: its rules are packaged, an installation cannot change them.
OTHER_RULES = """
import sys
from pathlib import Path
from transformers.deidentify import rules
text = Path(sys.argv.pop(1)).read_text(encoding="utf-8")
rules.packaged_text = lambda: text
from gateway.cli.main import main
main()
"""
PUBLISHED = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"  # NIST SP 800-38A
HOSPITAL = f"hospital-{FINESS}.key"

Spoil = Callable[[Path], object]


def written(name: str, text: str, mode: int = 0o400) -> Spoil:
    def spoil(keys: Path) -> None:
        (keys / name).unlink()
        (keys / name).write_text(text, encoding="ascii")
        (keys / name).chmod(mode)

    return spoil


# Every other case of keys: tests/unit/gateway/cli/test_diagnosis.py, through the same command in one process.
KEYS: dict[str, tuple[Spoil, str, str]] = {
    "missing": (lambda keys: (keys / HOSPITAL).unlink(), HOSPITAL, ""),
    "low entropy": (written("ledger.key", "3f" * 32), "ledger.key", "3f" * 32),
    "published": (written("platform.key", PUBLISHED), "platform.key", PUBLISHED),
    "readable by everybody": (lambda keys: (keys / "ledger.key").chmod(0o444), "ledger.key", ""),
    "shared by two purposes": (
        lambda keys: written("ledger.key", (keys / "platform.key").read_text())(keys),
        "ledger.key",
        "",
    ),
}
COMMENT = '  "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-comment",\n'
RULES: dict[str, tuple[str, str, str, str]] = {
    "an unknown action": ('month = ["birthDate"]', 'shred = ["birthDate"]', "rules-unknown-action", "shred"),
    "a rule that matches nothing": ('month = ["birthDate"]', 'month = ["birthDay"]', "rules-match-nothing", "birthDay"),
    "an element without a rule": ('month = ["birthDate"]', "", "rules-unclassified", "Patient.birthDate"),
    "a type of FR Core without a rule": ('"PractitionerRole", ', "", "rules-unclassified", "PractitionerRole"),
    "an extension of FR Core without a rule": (COMMENT, "", "rules-unclassified", "fr-core-comment"),
}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("refused") / "data")


def refused(data_dir: Path, *command: str) -> str:
    """The one line that a start says when it ends with 78."""
    done = subprocess.run(
        [*command, "serve", "--data-dir", str(data_dir), "--port", str(free_port())],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 78, done.stderr
    assert done.stdout == ""
    [line] = done.stderr.strip().splitlines()
    return line


@pytest.mark.parametrize("name", KEYS)
def test_serve_does_not_start_on_a_bad_key(installation: Installation, name: str, tmp_path: Path) -> None:
    spoil, named, secret = KEYS[name]
    shutil.copytree(installation.data_dir, tmp_path / "data")
    spoil(tmp_path / "data" / "keys")

    line = refused(tmp_path / "data", *COMMAND)

    assert named in line
    assert not secret or secret[:8] not in line


@pytest.mark.parametrize("name", RULES)
def test_serve_does_not_start_on_a_wrong_rule(installation: Installation, name: str, tmp_path: Path) -> None:
    before, after, code, named = RULES[name]
    text = packaged_text()
    assert before in text
    (tmp_path / "rules.toml").write_text(text.replace(before, after, 1), encoding="utf-8")

    line = refused(installation.data_dir, sys.executable, "-c", OTHER_RULES, str(tmp_path / "rules.toml"))

    assert code in line
    assert named in line
