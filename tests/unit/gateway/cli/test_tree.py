"""The tree of commands: names of DESIGN §9, an example in every help, documents that name them all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from gateway.cli.main import make_app, spread
from scripts.build_command_docs import document, leaves

PROJECT = Path(__file__).resolve().parents[4]
COMMANDS = {
    "init", "hospital add", "hospital list", "hospital rotate-key", "hospital units", "serve", "tables run", "status",
    "push", "validate", "deidentify", "convert", "events tail", "generate", "demo", "sql", "export", "config check",
    "doctor",
}  # fmt: skip


def tree() -> list[tuple[str, Any]]:
    return leaves(typer.main.get_command(make_app()), "")


def test_every_command_of_the_design_is_there() -> None:
    assert {path.strip() for path, _ in tree()} >= COMMANDS


@pytest.mark.parametrize("path", sorted(path.strip() for path, _ in tree()))
def test_every_help_has_an_example(path: str) -> None:
    done = CliRunner().invoke(make_app(), [*path.split(), "--help"], prog_name="snds-gateway")

    assert done.exit_code == 0
    assert f"snds-gateway {path}" in done.output.split("Example")[1]


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (
            "init",
            (
                "--data-dir --finess --name --french-profiles --legal-form --source --test-identities"
                " --potential-identifiers --platform-key"
            ),
        ),
        ("status", "--data-dir --wait-idle --format"),
        ("serve", "--data-dir --host --port --workers"),
        ("validate", "--profile --definitions --french-profiles --judge --lang --format"),
        ("events tail", "--data-dir --from --follow --format"),
        ("generate", "--stays --seed --to --rare"),
        ("export", "--to --format --data-dir"),
        ("demo", "--keep"),
        ("hospital add", "--data-dir --finess --source --scopes --platform-key"),
    ],
)
def test_options_have_the_names_of_the_design(command: str, options: str) -> None:
    found = next(one for path, one in tree() if path.strip() == command)

    assert set(options.split()) <= {name for parameter in found.params for name in parameter.opts}


def test_wrong_usage_ends_with_2() -> None:
    assert CliRunner().invoke(make_app(), ["generate"]).exit_code == 2
    assert CliRunner().invoke(make_app(), ["nothing-of-ours"]).exit_code == 2
    assert CliRunner().invoke(make_app(), ["push", "no-such-file", "--key-file", "no-such-key"]).exit_code == 2


def test_help_loads_nothing_heavy() -> None:
    heavy = "{'httpx', 'duckdb', 'fastapi', 'orjson', 'pyarrow', 'fhir_profiles.compiler', 'kafka'}"
    code = f"import sys; from gateway.cli.main import make_app; make_app(); print(sorted({heavy} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    assert (PROJECT / "docs" / "commands.md").read_text(encoding="utf-8") == document()


def test_several_definitions_may_follow_one_option() -> None:
    assert spread(["validate", "a.json", "--definitions", "x", "y", "--lang", "en"]) == [
        "validate", "a.json", "--definitions", "x", "--definitions", "y", "--lang", "en",
    ]  # fmt: skip
    assert spread(["validate", "--definitions", "x", "a.json"]) == ["validate", "--definitions", "x", "a.json"]
    assert spread(["push", "a", "--definitions", "x", "y"]) == ["push", "a", "--definitions", "x", "y"]
