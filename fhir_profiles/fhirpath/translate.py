"""Syntax tree → Python source that evaluates it on a focus: calls of `fp.…` (operations.py), nothing else.

The source holds no text of the expression but names that passed `quoted`: strings go through `constant`
(DESIGN §12). `translate` gives the whole expression; `inline.py` writes faster source for what it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from fhir_profiles.digests import definitions_digest
from fhir_profiles.fhirpath.errors import Untranslatable
from fhir_profiles.fhirpath.functions import FUNCTIONS, LAZY_OPERATORS, OPERATORS, URL_PREFIXES, URLS, Function
from fhir_profiles.fhirpath.moments import parse_moment
from fhir_profiles.fhirpath.parser import parse
from fhir_profiles.fhirpath.syntax import (
    Amount,
    At,
    Binary,
    Call,
    Dollar,
    Empty,
    Expression,
    Literal,
    Member,
    Moment,
    Sign,
    TypeOperator,
    Variable,
)

Constant = Callable[[Any], str]
NAME_MAXIMUM = 96
DEEPEST = 150
_PLAIN = Function("")
TOO_DEEP = "an expression nested too deep"


@dataclass(frozen=True, slots=True)
class Scope:
    """The Python names of `$this`, `$index` and `$total` where an expression stands."""

    this: str
    index: str = "None"
    total: str = "[]"
    depth: int = 0


def translate(
    expression: str, *, focus: str, constant: Constant, beside: str = "None", of_extension: bool = False
) -> str:
    """Return the source of one Python expression over `n`, the JSON of the focus, and `x`, the CheckContext.

    `focus` is the type path of the focus (`Patient.contact`). Raises Untranslatable.
    """
    translator = _Translator(focus, constant, beside)
    translator.of_extension = of_extension  # a rule about an extension: only there %extension means something
    return shallow(translator.whole(parse(expression)))


def translate_tree(tree: Expression, *, focus: str, constant: Constant) -> str:
    """Return the source of a parsed expression, as `translate` does."""
    return shallow(_Translator(focus, constant).whole(tree))


def shallow(source: str) -> str:
    """Return source that Python's compiler can take: it gives up at 200 open brackets. Raises Untranslatable."""
    depth = 0
    for character in source:
        depth += (character in "([{") - (character in ")]}")
        if depth > DEEPEST:
            raise Untranslatable(TOO_DEEP)
    return source


def quoted(name: str) -> str:
    """Return a name as a Python string literal; only letters, digits and `_` pass."""
    if not 0 < len(name) <= NAME_MAXIMUM or not name.isascii() or not name.replace("_", "a").isalnum():
        raise Untranslatable("a name that is not a FHIR name")
    return f'"{name}"'


class _Translator:
    """Translates one expression; `start` is the source of the focus's collection."""

    def __init__(self, focus: str, constant: Constant, beside: str = "None") -> None:
        self.constant = constant
        self.keeping = False
        self.of_extension = False
        path = constant(focus)
        self.start = f"fp.focus(n, {path})" if beside == "None" else f"fp.focus(n, {path}, {beside})"

    def whole(self, node: Expression) -> str:
        """Return the source of a whole expression."""
        try:
            return f"(lambda t0: {self.write(node, Scope('t0'))})({self.start})"
        except RecursionError:
            raise Untranslatable(TOO_DEEP) from None

    def write(self, node: Expression, scope: Scope) -> str:
        """Return the source of an expression that stands in a scope; one that is the same for every item is kept."""
        if not self.keeping and is_fixed(node):
            return self.kept(node)
        match node:
            case Empty():
                return "[]"
            case Literal() | Moment() | Amount():
                return self.literal(node)
            case Dollar():
                return self.dollar(node, scope)
            case Variable():
                return self.variable(node)
            case Member():
                return self.member(node, scope)
            case Call():
                return self.call(node, scope)
            case At():
                return f"fp.at({self.write(node.base, scope)}, {self.write(node.index, scope)})"
            case Sign():
                return f"fp.{'negative' if node.operator == '-' else 'positive'}({self.write(node.operand, scope)})"
            case Binary():
                return self.binary(node, scope)
            case TypeOperator():
                function = "is_type" if node.operator == "is" else "of_type"
                return f"fp.{function}({self.write(node.operand, scope)}, {self.constant(node.type)})"

    def kept(self, node: Expression) -> str:
        """Return the source of a part that is evaluated once a resource: rules over many items stay linear."""
        self.keeping = True
        source = self.write(node, Scope("t0"))
        self.keeping = False
        name = self.constant(definitions_digest([repr(node).encode()])[:24])
        return f"fp.fixed(x, {name}, {'n' if uses_context(node) else 'None'}, lambda: {source})"

    def literal(self, node: Literal | Moment | Amount) -> str:
        if isinstance(node, Moment):
            if parse_moment(node.text) is None:
                raise Untranslatable("a date that is none")
            return f"fp.moment({self.constant(node.text)})"
        if isinstance(node, Amount):
            return (
                f"fp.quantity({self.constant(str(node.value))}, {self.constant(node.unit)}, calendar={node.calendar})"
            )
        if isinstance(node.value, bool | str):
            return f"[{self.constant(node.value)}]" if isinstance(node.value, str) else f"[{node.value}]"
        return f"[{node.value}]" if isinstance(node.value, int) else f"fp.decimal({self.constant(str(node.value))})"

    def dollar(self, node: Dollar, scope: Scope) -> str:
        if node.name == "this":
            return scope.this
        if node.name == "index":
            return f"[{scope.index}]" if scope.index != "None" else "[]"
        return scope.total

    def variable(self, node: Variable) -> str:
        if node.name == "resource":
            return "fp.resource(x)"
        if node.name == "rootResource":
            return "fp.root_resource(x)"
        if node.name == "context":
            return "t0"
        if node.name == "extension" and self.of_extension:
            return "fp.extension_in_question(x)"
        url = URLS.get(node.name)
        for prefix, base in URL_PREFIXES:
            if url is None and node.name.startswith(prefix):
                url = base + node.name.removeprefix(prefix)
        if url is None:
            raise Untranslatable(f"the variable %{node.name}")
        return f"[{self.constant(url)}]"

    def member(self, node: Member, scope: Scope) -> str:
        name = quoted(node.name)
        if node.base is None:
            function = "head" if node.name[0].isupper() else "child"
            return f"fp.{function}({scope.this}, {name})"
        return f"fp.child({self.write(node.base, scope)}, {name})"

    def call(self, node: Call, scope: Scope) -> str:
        function = FUNCTIONS.get(node.name)
        if function is None:
            raise Untranslatable(f"the function {node.name}()")
        if not function.least <= len(node.arguments) <= function.most:
            raise Untranslatable(f"{node.name}() with {len(node.arguments)} arguments")
        base = scope.this if node.base is None else self.write(node.base, scope)
        return f"fp.{function.python}({', '.join(self.arguments(function, node, base, scope))})"

    def arguments(self, function: Function, node: Call, base: str, scope: Scope) -> list[str]:
        given = node.arguments
        match function.kind:
            case "alone":
                return []
            case "lambdas":
                return [base, *(self.criterion(one, scope) for one in given)]
            case "iif":
                return [base, *(self.lazy_on(one, scope) for one in given)]
            case "type":
                return [base, self.constant(type_specifier(given[0]))]
            case "aggregate":
                first = self.criterion(given[0], scope, total=True)
                return [base, first, *(self.write(one, scope) for one in given[1:])]
            case "sort":
                return [base, *(self.sort_key(one, scope) for one in given)]
            case "trace":
                return [base]
            case "surroundings":
                return [base, *(self.write(one, scope) for one in given), "x"]
            case _:
                return [base, *(self.write(one, scope) for one in given)]

    def criterion(self, node: Expression, scope: Scope, *, total: bool = False) -> str:
        """Return a function of `$this`, `$index` (and `$total`)."""
        depth = scope.depth + 1
        inner = replace(scope, this=f"t{depth}", index=f"i{depth}", depth=depth)
        if not total:
            return f"lambda t{depth}, i{depth}: {self.write(node, inner)}"
        inner = replace(inner, total=f"a{depth}")
        return f"lambda t{depth}, i{depth}, a{depth}: {self.write(node, inner)}"

    def lazy_on(self, node: Expression, scope: Scope) -> str:
        """Return a function of the whole input of `iif`; called without an input, the focus stays what it was."""
        depth = scope.depth + 1
        inner = replace(scope, this=f"t{depth}", depth=depth)
        return f"lambda t{depth}, _i: {self.write(node, inner)}"

    def sort_key(self, node: Expression, scope: Scope) -> str:
        descends = isinstance(node, Sign) and node.operator == "-"
        projection = node.operand if isinstance(node, Sign) else node
        return f"({self.criterion(projection, scope)}, {descends})"

    def binary(self, node: Binary, scope: Scope) -> str:
        left, right = self.write(node.left, scope), self.write(node.right, scope)
        if node.operator in LAZY_OPERATORS:
            return f"fp.{LAZY_OPERATORS[node.operator]}({left}, lambda: {right})"
        return f"fp.{OPERATORS[node.operator]}({left}, {right})"


def is_fixed(node: Expression) -> bool:
    """Say whether an expression goes down from %resource, %rootResource or %context, and depends on nothing else."""
    if isinstance(node, Binary) and node.operator in ("|", "&", "+"):
        sides = [one for one in (node.left, node.right) if not isinstance(one, Literal)]
        return bool(sides) and all(map(is_fixed, sides))
    return isinstance(node, Member | Call | At) and _starts_fixed(node) and not _looks_at_item(node)


def _starts_fixed(node: Expression | None) -> bool:
    while isinstance(node, Member | Call | At):
        node = node.base
    return isinstance(node, Variable) and node.name in ("resource", "rootResource", "context")


def _looks_at_item(node: object) -> bool:
    """Say whether an expression outside its own criteria uses $this or an element of it."""
    if isinstance(node, Dollar) or (isinstance(node, Member | Call) and node.base is None):
        return True
    if isinstance(node, Call) and FUNCTIONS.get(node.name, _PLAIN).kind in ("lambdas", "iif", "type"):
        return _looks_at_item(node.base) or (node.name not in ("is", "as", "ofType") and _uses_dollar(node.arguments))
    return any(map(_looks_at_item, parts(node)))


def _uses_dollar(node: object) -> bool:
    """Say whether $index or $total of an outer scope may be meant."""
    return isinstance(node, Dollar) or any(map(_uses_dollar, parts(node)))


def uses_context(node: object) -> bool:
    """Say whether an expression uses %context."""
    return (isinstance(node, Variable) and node.name == "context") or any(map(uses_context, parts(node)))


def parts(node: object) -> Iterable[object]:
    """Return what a node of a syntax tree holds."""
    if isinstance(node, tuple):
        return node
    return [getattr(node, name) for name in getattr(node, "__dataclass_fields__", ())]


def type_specifier(node: Expression) -> str:
    """Return the type that an argument of is, as or ofType names: `Patient`, `FHIR.Patient`, `System.String`."""
    if isinstance(node, Member) and node.base is None:
        return node.name
    if isinstance(node, Member) and isinstance(node.base, Member) and node.base.base is None:
        return f"{node.base.name}.{node.name}"
    raise Untranslatable("something else where a type is named")
