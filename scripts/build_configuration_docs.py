"""gateway/settings.py → the tables of docs/configuration.md, between its two marks. `--check` only compares."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from gateway.settings import PREFIX, Settings, documented

TARGET = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
BEGIN, END = "<!-- settings: made by scripts/build_configuration_docs.py -->\n", "<!-- end of settings -->\n"
SECTIONS = {
    "host": "Listening",
    "max_body_bytes": "Limits and load",
    "broker": "Log of events",
    "sink": "Tables",
    "nomenclatures": "Codes, audit, log",
}


def tables() -> str:
    """Return one table a section, one line a setting."""
    defaults = {one.name: one.default for one in dataclasses.fields(Settings)}
    lines: list[str] = []
    for name, setting in documented().items():
        if name in SECTIONS:
            lines += [
                f"\n### {SECTIONS[name]}\n",
                "| `gateway.toml` | variable | default | meaning |",
                "|---|---|---|---|",
            ]
        about = setting.about.replace("|", "\\|")
        lines.append(f"| `{name}` | `{PREFIX}{name.upper()}` | {shown(defaults[name])} | {about} |")
    return "\n".join(lines) + "\n\n"


def shown(default: Any) -> str:  # noqa: ANN401
    """Return a default as an operator writes it."""
    if default in (None, ()):
        return "–"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def document() -> str:
    """Return the page with its tables made anew."""
    text = TARGET.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    return before + BEGIN + tables() + END + rest.split(END)[1]


def main() -> int:
    """Write the page, or compare it."""
    text = document()
    if "--check" in sys.argv:
        return int(TARGET.read_text(encoding="utf-8") != text)
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
