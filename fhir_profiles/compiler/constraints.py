"""An element's FHIRPath constraints → the lines that evaluate them and record those that are broken.

Note to the compiler: `type_code` says which type of a choice element stands in `node`; generated modules need the
global `fp` (fhir_profiles.fhirpath.operations). Promise: no constraint ever raises, whatever the JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fhir_profiles.compiler.corrections import OF_THE_TYPE, SKIPPED, corrected
from fhir_profiles.compiler.popular import rank
from fhir_profiles.compiler.writer import Writer, safe_name
from fhir_profiles.fhirpath.errors import Untranslatable
from fhir_profiles.fhirpath.inline import Inliner
from fhir_profiles.fhirpath.parser import parse
from fhir_profiles.fhirpath.shapes import calls, has_odd_pattern
from fhir_profiles.fhirpath.syntax import Expression
from fhir_profiles.fhirpath.translate import TOO_DEEP, shallow, translate_tree
from fhir_profiles.fhirpath.types import r4_types
from fhir_profiles.fhirpath.ways import NotInline, Place
from fhir_profiles.model import Constraint, Element, Structure

CONTAINERS = ("BackboneElement", "Element")
# Functions whose answer may not be known here: such a rule is evaluated as a whole, and reported when it is not.
Part = Literal["all", "usual", "rare"]
UNSURE = frozenset({"memberOf", "conformsTo"})


@dataclass(frozen=True, slots=True)
class _Rule:
    """A constraint, the condition that it is kept, and a key of the element without which it always is."""

    constraint: Constraint
    kept: str
    guard: str | None
    unsure: bool = False


def emit_constraints(
    write: Writer,
    owner: Element,
    structure: Structure,
    *,
    node: str,
    raise_up: str | None = None,
    type_code: str | None = None,
    common: frozenset[str] = frozenset(),
    others: str | None = None,
    part: Part = "all",
) -> None:
    """Write the constraints of an element whose JSON is in the variable `node`.

    `others` is a condition that holds when the element has a key that is not `common`: rules that only matter then
    are not even looked at otherwise. With `part`, only these (`rare`) or only the rest (`usual`) are written: the
    caller tests the condition itself.
    """
    focus = focus_of(owner, structure, type_code)
    resource = structure.type if structure.kind == "resource" else None
    rules = []
    for constraint in owner.constraints:
        if constraint.expression in SKIPPED or (raise_up and constraint.expression in OF_THE_TYPE):
            continue
        try:
            rule = _rule(write, constraint, Place(node, focus, resource), common)
        except Untranslatable as error:
            write.not_checked.append((constraint.key, error.reason))
            continue
        except RecursionError:
            write.not_checked.append((constraint.key, TOO_DEEP))
            continue
        if rule.kept != "True":
            rules.append(rule)
    rare = [rule for rule in rules if (others or part != "all") and rule.guard and rule.guard not in common]
    usual = [rule for rule in rules if rule not in rare]
    if part == "all":
        _write_guarded(write, usual, rare, node=node, raise_up=raise_up, others=others)
    else:
        _write_guarded(write, rare if part == "rare" else usual, [], node=node, raise_up=raise_up, others=None)


def _write_guarded(
    write: Writer, usual: list[_Rule], rare: list[_Rule], *, node: str, raise_up: str | None, others: str | None
) -> None:
    """Write rules that are looked at where nothing so far hinders it, and that no malformed content can make fail."""
    rules = [*usual, *rare]
    if not rules:
        return
    with write.block("if e is None or fp.evaluable(e):"):
        with write.block("try:"):
            _write_rules(write, usual, node=node, raise_up=raise_up)
            if rare:
                with write.block(f"if {others}:"):
                    _write_rules(write, rare, node=node, raise_up=raise_up)
        with write.block("except fp.MALFORMED:"):
            keys = write.constant(", ".join(dict.fromkeys(rule.constraint.key for rule in rules)))
            write(f"e = fp.malformed(e, x, {keys})")


def focus_of(owner: Element, structure: Structure, type_code: str | None = None) -> str:
    """Return the type path of an element: `Patient`, `Patient.contact`, `HumanName`."""
    if "." not in owner.path:
        return structure.type
    if owner.content_reference:
        return owner.content_reference.partition("#")[2]
    code = type_code or (owner.types[0].code if owner.types else "Element")
    return owner.path if code in CONTAINERS else code


def _rule(write: Writer, constraint: Constraint, place: Place, common: frozenset[str] = frozenset()) -> _Rule:
    tree = parse(corrected(constraint.expression))

    def general(part: Expression, where: Place) -> str:
        name = write.fresh("rule")
        with write.function(f"{name}(n, x)"):
            write(f"return {translate_tree(part, focus=where.type, constant=write.constant)}")
        return name

    if calls(tree, UNSURE) or has_odd_pattern(tree):
        return _Rule(constraint, f"fp.judged({general(tree, place)}, {place.item}, x)", None, unsure=True)
    try:
        found = Inliner(r4_types(), write.constant, general).of(tree, place)
    except NotInline:
        return _Rule(constraint, f"fp.answer({general(tree, place)}, {place.item}, x) is True", None)
    guard = max(found.true_without, key=lambda name: (name not in common, rank(name), name), default=None)
    return _Rule(constraint, shallow(found.true), guard)


def _write_rules(write: Writer, rules: list[_Rule], *, node: str, raise_up: str | None) -> None:
    """Write the rules; those that only matter where a key is there stand under one test of it."""
    guards = dict.fromkeys(rule.guard for rule in rules)
    for guard in guards:
        guarded = [rule for rule in rules if rule.guard == guard]
        if guard is None:
            for rule in guarded:
                _write_rule(write, rule, raise_up=raise_up)
        else:
            with write.block(f'if "{safe_name(guard)}" in {node}:'):
                for rule in guarded:
                    _write_rule(write, rule, raise_up=raise_up)


def _write_rule(write: Writer, rule: _Rule, *, raise_up: str | None) -> None:
    constraint = rule.constraint
    key, severity = write.constant(constraint.key), constraint.severity
    level = write.constant("information" if constraint.best_practice else severity)
    report = f"{key}, {level}, {write.constant(constraint.expression)}"
    test = f"not ({rule.kept})"
    if rule.unsure:
        write(f"k = {rule.kept}")
        with write.block("if k is None:"):
            write(f"e = fp.not_checked(e, x, {key})")
        test = "k is False"
    with write.block(f"if {test}:"):
        if raise_up is None:
            write(f"e = invariant(e, {report})")
        else:
            write(f"r = invariant(None, {report})")
            write(f"e = {raise_up}")
