"""`rules report`: what happens to each element of each FHIR type, in the words of rules.toml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from fhir_profiles.errors import Misconfigured
from gateway.cli import screen
from transformers.deidentify.elements import FROM_ELEMENT, FROM_RESOURCE
from transformers.deidentify.rule_checks import is_resource
from transformers.deidentify.rulebook import Rule
from transformers.deidentify.rules import Rules, load_rules

Language = Literal["fr", "en"]
STYLES = {"kept": "green", "transformed": "cyan", "used": "yellow", "dropped": "red"}
WHOLE = ("keep",)


@dataclass(frozen=True, slots=True)
class Line:
    """One element: what becomes of it, by which action, and the sentence that says so."""

    path: str
    outcome: str
    action: str
    text: str


def report(*, only: str | None, language: Language, as_json: bool) -> int:
    """Show every element of every type, or of one; every element has a line, or the rules would not load."""
    rules = load_rules()
    if only is not None and only not in rules.book.types:
        raise Misconfigured("type-unknown", "rules.toml has no table for a type of that name: nothing of it leaves")
    counted: Counter[str] = Counter()
    for name in [only] if only else rules.book.types:
        if name in ("Resource", "Element"):
            continue
        lines = list(lines_of(rules, name, language))
        counted.update(one.outcome for one in lines)
        _show(name, lines, as_json=as_json)
    if not as_json:
        total = sum(counted.values())
        told = ", ".join(f"{number} {outcome}" for outcome, number in counted.most_common())
        screen.console().print(f"{total} elements, each with a rule: {told} (rules {rules.version})", style="dim")
    return 0


def lines_of(rules: Rules, name: str, language: Language) -> Iterator[Line]:
    """Yield the elements of a type in the order of the definitions; a group stands for the elements below it."""
    inherited = ("Resource", FROM_RESOURCE) if is_resource(rules.elements, name) else ("Element", FROM_ELEMENT)
    for path in rules.elements.types[name]:
        last = path.rpartition(".")[2]
        rule = rules.book.rule(name, path)
        if rule is None and path in inherited[1]:
            rule = rules.book.types[inherited[0]].get(path)
        if rule is None and last in FROM_ELEMENT:
            rule = rules.book.types["Element"].get(last)
        if rule is not None:
            yield Line(f"{name}.{path}", _outcome(rule), rule.action, _text(rules, rule, language))


def _outcome(rule: Rule) -> str:
    if rule.action == "drop":
        return "dropped"
    if rule.action == "used":
        return "used"
    return "kept" if rule.action in WHOLE else "transformed"


def _text(rules: Rules, rule: Rule, language: Language) -> str:
    return rules.book.texts[rule.reason or rule.action][language]


def _show(name: str, lines: list[Line], *, as_json: bool) -> None:
    if as_json:
        for one in lines:
            screen.write_json({"path": one.path, "outcome": one.outcome, "action": one.action, "text": one.text})
        return
    rows = ((one.path, f"[{STYLES[one.outcome]}]{one.outcome}[/]", screen.escaped(one.text)) for one in _folded(lines))
    screen.console().print(screen.grid(name, ("element", "outcome", "why"), rows))


def _folded(lines: list[Line]) -> Iterator[Line]:
    """Leave out what stands below an element that has the same fate as a whole."""
    whole = {one.path for one in lines}
    for one in lines:
        above = one.path.rpartition(".")[0]
        if above not in whole:
            yield one
