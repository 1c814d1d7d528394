"""Questions about the shape of a syntax tree."""

from __future__ import annotations

from fhir_profiles.fhirpath.errors import Unknown
from fhir_profiles.fhirpath.strings import pattern
from fhir_profiles.fhirpath.syntax import Binary, Call, Dollar, Expression, Literal, Variable
from fhir_profiles.fhirpath.translate import parts
from fhir_profiles.fhirpath.ways import NotInline


def is_boolean(node: Expression) -> bool:
    """Say whether an expression gives a boolean, or nothing, whatever the data."""
    match node:
        case Binary(
            operator="and" | "or" | "xor" | "implies" | "=" | "!=" | "<" | ">" | "<=" | ">=" | "in" | "contains"
        ):
            return True
        case Call(name="exists" | "empty" | "not" | "all" | "hasValue" | "isDistinct" | "startsWith" | "matches"):
            return True
        case Literal(value=bool()):
            return True
        case _:
            return False


def is_child_count(node: Expression) -> bool:
    """Say whether an expression is `children().count()`."""
    match node:
        case Call(base=Call(base=None, name="children"), name="count"):
            return True
        case _:
            return False


def literal_texts(node: Expression) -> list[str]:
    """Return the strings of `'a' | 'b' | 'c'`."""
    if isinstance(node, Literal) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, Binary) and node.operator == "|":
        return [*literal_texts(node.left), *literal_texts(node.right)]
    raise NotInline


def depends_on_outside(node: object) -> bool:
    """Say whether an expression uses %context, $index or $total, which a part by itself has not."""
    if isinstance(node, Variable):
        return node.name == "context"
    if isinstance(node, Dollar):
        return node.name != "this"
    return any(map(depends_on_outside, parts(node)))


def has_odd_pattern(node: object) -> bool:
    """Say whether an expression asks for a pattern that RE2 may refuse, or that is made at run time."""
    if isinstance(node, Call) and node.name in ("matches", "matchesFull", "replaceMatches"):
        wanted = node.arguments[0] if node.arguments else None
        if not isinstance(wanted, Literal) or not isinstance(wanted.value, str) or not runs(wanted.value):
            return True
    return any(has_odd_pattern(one) for one in parts(node))


def runs(text: str) -> bool:
    """Say whether RE2 can run a pattern."""
    try:
        pattern(text)
    except Unknown:
        return False
    return True


def calls(node: object, names: frozenset[str]) -> bool:
    """Say whether an expression calls one of these functions."""
    if isinstance(node, Call) and node.name in names:
        return True
    return any(calls(one, names) for one in parts(node))
