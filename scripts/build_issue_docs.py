"""The catalogue of messages → docs/issues/README.md: one heading a code, French and English, what and how to repair.

Run it after a change of `fhir_profiles/messages/`: `python -m scripts.build_issue_docs`. A test compares.
"""

from __future__ import annotations

from pathlib import Path

from fhir_profiles.issues import Message, catalogue

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "issues" / "README.md"

HEAD = """# Anomalies / Issues

Made by `python -m scripts.build_issue_docs` from the catalogue of messages. Every issue that the gateway, `$validate`
or `snds-gateway validate` reports has one of these codes in `details.coding`, and a link to its heading here. Words
between braces stand for names of elements, limits or canonicals of the definitions: never for a value that was sent.

Chaque anomalie porte un de ces codes et un lien vers son titre ici. Les mots entre accolades sont remplacés par des
noms d'éléments, des limites ou des adresses de définitions : jamais par une valeur envoyée.
"""


def document() -> str:
    """Return the text of the document."""
    return HEAD + "".join(_section(message) for _, message in sorted(catalogue().items()))


def _section(message: Message) -> str:
    lines = [f"\n## {message.code}\n", f"*{message.severity}*, `{message.type}`\n"]
    for language in ("fr", "en"):
        repair = f" **→** {message.repair[language]}" if message.repair[language] else ""
        lines.append(f"* **{language}** {message.text[language]}{repair}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the document."""
    DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
    DOCUMENT.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
