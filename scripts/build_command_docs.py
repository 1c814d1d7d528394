"""The typer tree → docs/commands.md. `python scripts/build_command_docs.py --check` only compares."""

from __future__ import annotations

import re
import sys
from enum import Enum
from pathlib import Path
from typing import Any

import typer.main

from gateway.cli.main import make_app

TARGET = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
HEAD = """# Commands

Made from the commands themselves by `scripts/build_command_docs.py`; `snds-gateway COMMAND --help` says the same.

Every command that works on an installation takes `--data-dir` (default: `GATEWAY_DATA_DIR`, else `./data`).
Exit codes: `0` done, `1` something was refused (or did not end as asked), `2` wrong usage, `78` wrong configuration.
Output for people goes through rich; `--format json` (csv, junit, sarif…) is stable and meant for programs.
"""


def leaves(command: Any, path: str) -> list[tuple[str, Any]]:  # noqa: ANN401 — typer's own click has no public types
    """Return every command that does something, with its full name."""
    below = getattr(command, "commands", None)  # a group has some
    if not below:
        return [(path, command)]
    return [leaf for name, one in below.items() for leaf in leaves(one, f"{path} {name}")]


def plain(text: str) -> str:
    """Take rich's markup out of a text."""
    return re.sub(r"\[/?(bold|cyan|dim)\]", "", text)


def section(path: str, command: Any) -> str:  # noqa: ANN401
    """Write one command."""
    rows = []
    for parameter in command.params:
        if not parameter.opts[0].startswith("-"):
            rows.append((f"`{parameter.metavar}`", parameter))
        elif parameter.name != "help":
            form = parameter.opts[0]
            if parameter.type_descriptor.annotation is not bool:
                form += f" {value_of(parameter)}"
            rows.append((f"`{form}`".replace("|", "\\|"), parameter))
    examples = re.findall(r"^\$ (.*)$", plain(command.epilog or ""), re.MULTILINE)
    lines = [f"## {path.removeprefix('snds-gateway ')}", "", plain(command.help or ""), "", "```sh", *examples]
    lines += ["```", ""]
    if rows:
        lines += ["| | | default |", "|---|---|---|"]
        lines += [f"| {name} | {parameter.help or ''} | {default_of(parameter)} |" for name, parameter in rows]
        lines.append("")
    return "\n".join(lines)


def value_of(parameter: Any) -> str:  # noqa: ANN401
    """Return how the value of an option is written."""
    kind = parameter.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(one.value) for one in kind)
    names = {int: "N", float: "SECONDS", Path: "PATH", list[Path]: "PATH"}
    return str(parameter.metavar or names.get(kind, parameter.name.split("_")[-1].upper()))


def default_of(parameter: Any) -> str:  # noqa: ANN401
    """Return the default as it is written."""
    value = getattr(parameter.default, "value", parameter.default)
    if parameter.required:
        return "required"
    return "" if value in (None, "", False) else f"`{value}`"


def document() -> str:
    """Return the whole page."""
    tree = typer.main.get_command(make_app())
    return HEAD + "\n" + "\n".join(section(path, command) for path, command in leaves(tree, "snds-gateway"))


def main() -> int:
    """Write the page, or compare it."""
    text = document()
    if "--check" in sys.argv:
        return int(TARGET.read_text(encoding="utf-8") != text)
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
