"""One issue: what is wrong, where, what is expected, how to repair it, in French and English.

The texts are data, `messages/*.toml`, one file an area; an issue holds only definitional facts (`params`).
What a sender wrote stands in `quote` alone and is shown only where the caller asks for it (DESIGN §3).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from fhir_profiles.constraint_words import constraint_words

Severity = Literal["fatal", "error", "warning", "information"]
Language = Literal["fr", "en"]

ISSUE_SYSTEM = "https://fhir-snds-gateway.example/CodeSystem/issue"
TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
ISSUE_LINE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line"
ISSUE_COLUMN = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-col"
ISSUE_SOURCE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-source"
REPAIR = "https://fhir-snds-gateway.example/StructureDefinition/repair"
PAGE = "https://fhir-snds-gateway.example/StructureDefinition/issue-page"
ISSUE_PAGES = "https://fhir-snds-gateway.example/issues"
CAP = 100


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the catalogue.

    `type` is a code of FHIR's issue-type, `severity` the default one; texts are templates over `params`.
    """

    code: str
    severity: Severity
    type: str
    text: Mapping[Language, str]
    repair: Mapping[Language, str]


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding. `expression` is a FHIRPath of known element names and indices, never a posted string."""

    code: str
    expression: str = ""
    severity: Severity = "error"
    params: Mapping[str, str] = field(default_factory=dict)
    profile: str | None = None
    rule: str | None = None
    quote: str | None = None
    line: int | None = None
    column: int | None = None

    @property
    def blocks(self) -> bool:
        """Say whether the resource is refused for it."""
        return self.severity in ("error", "fatal")


@cache
def catalogue() -> Mapping[str, Message]:
    """Return every message by code.

    A file of `messages/` holds tables `[code]` with `severity`, `type`, `fr`, `en`, and optionally
    `repair_fr`, `repair_en`. Raises ValueError when two files give the same code.
    """
    messages: dict[str, Message] = {}
    folder = files("fhir_profiles") / "messages"
    for path in sorted((item for item in folder.iterdir() if item.name.endswith(".toml")), key=lambda item: item.name):
        for code, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
            if code in messages:
                raise ValueError(f"message {code} is defined twice")
            messages[code] = Message(
                code=code,
                severity=entry["severity"],
                type=entry["type"],
                text={"fr": entry["fr"], "en": entry["en"]},
                repair={"fr": entry.get("repair_fr", ""), "en": entry.get("repair_en", "")},
            )
    return messages


def issue(code: str, expression: str = "", *, severity: Severity | None = None, **params: str) -> Issue:
    """Make an issue with the catalogue's severity; `params` are definitional facts (element names, limits, URLs)."""
    return Issue(code, expression, severity or catalogue()[code].severity, params)


def text(found: Issue, language: Language, *, quoting: bool = False) -> str:
    """Write the sentence of an issue; with `quoting`, the quoted code or name is added."""
    sentence = catalogue()[found.code].text[language].format_map(_Params(_told(found, language)))
    if quoting and found.quote is not None:
        sentence += f" (« {found.quote[:64]} »)" if language == "fr" else f' ("{found.quote[:64]}")'
    return sentence


def repair(found: Issue, language: Language) -> str:
    """Write how to repair it, or an empty string."""
    return catalogue()[found.code].repair[language].format_map(_Params(found.params))


def to_fhir(found: Issue, *, language: Language = "fr", quoting: bool = False) -> dict[str, Any]:
    """Return the `OperationOutcome.issue` element.

    The text is in `language`, the other language stands in the standard translation extension.
    """
    other: Language = "en" if language == "fr" else "fr"
    message = catalogue()[found.code]
    extension: list[dict[str, Any]] = []
    if found.line is not None:
        extension.append({"url": ISSUE_LINE, "valueInteger": found.line})
    if found.column is not None:
        extension.append({"url": ISSUE_COLUMN, "valueInteger": found.column})
    if found.profile or found.rule:
        source = "#".join(part for part in (found.profile, found.rule) if part)
        extension.append({"url": ISSUE_SOURCE, "valueString": source})
    advice = repair(found, language)
    if advice:
        extension.append({"url": REPAIR, "valueString": advice})
    extension.append({"url": PAGE, "valueUrl": f"{ISSUE_PAGES}#{found.code}"})
    element: dict[str, Any] = {
        "extension": extension,
        "severity": found.severity,
        "code": message.type,
        "details": {
            "coding": [{"system": ISSUE_SYSTEM, "code": found.code}],
            "text": text(found, language, quoting=quoting),
            "_text": {
                "extension": [
                    {
                        "url": TRANSLATION,
                        "extension": [
                            {"url": "lang", "valueCode": other},
                            {"url": "content", "valueString": text(found, other, quoting=quoting)},
                        ],
                    }
                ]
            },
        },
    }
    if found.expression:
        element["expression"] = [found.expression]
    return element


def operation_outcome(found: Iterable[Issue], *, language: Language = "fr", quoting: bool = False) -> dict[str, Any]:
    """Return an OperationOutcome; with no issue it says that all is well (code `ok`)."""
    listed = list(found) or [issue("ok")]
    return {
        "resourceType": "OperationOutcome",
        "issue": [to_fhir(one, language=language, quoting=quoting) for one in listed],
    }


def _told(found: Issue, language: Language) -> Mapping[str, str]:
    """Return the params of a sentence; a rule is told in words where the product has some, else by its expression."""
    if not {"key", "expression"} <= found.params.keys():
        return found.params
    key, expression = found.params["key"], found.params["expression"]
    words = constraint_words(key, expression, language)
    return {**found.params, "asked": expression if words is None else words[0].lower() + words[1:]}


class _Params(dict[str, str]):
    """Leaves an unknown placeholder visible instead of failing: a message must never raise."""

    def __init__(self, params: Mapping[str, str]) -> None:
        super().__init__(params)

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"
