"""FHIRPath text → syntax tree (FHIRPath N1, grammar and precedence). Raises Untranslatable, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache

from fhir_profiles.fhirpath.errors import Untranslatable
from fhir_profiles.fhirpath.lexer import Token, tokens
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

# From the weakest to the strongest; `is` and `as` stand between union and addition.
LEVELS: tuple[tuple[str, ...], ...] = (
    ("implies",),
    ("or", "xor"),
    ("and",),
    ("in", "contains"),
    ("=", "~", "!=", "!~"),
    ("<=", "<", ">", ">="),
    ("|",),
    ("is", "as"),
    ("+", "-", "&"),
    ("*", "/", "div", "mod"),
)
TYPE_LEVEL = LEVELS.index(("is", "as"))
CALENDAR = ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")
CALENDAR_WORDS = frozenset(CALENDAR) | {f"{word}s" for word in CALENDAR}
_LEAVES: Mapping[str, Callable[[str], Expression]] = {"string": Literal, "moment": Moment, "variable": Variable}
RESERVED = frozenset({"div", "mod", "and", "or", "xor", "implies", "true", "false"})


@lru_cache(maxsize=2048)
def parse(text: str) -> Expression:
    """Parse an expression."""
    try:
        return _Parser(tokens(text)).whole()
    except RecursionError:
        raise Untranslatable("an expression nested too deep") from None


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self.tokens = found
        self.index = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def next(self) -> Token:
        token = self.token
        self.index += 1
        return token

    def is_symbol(self, *texts: str) -> bool:
        return self.token.kind in ("symbol", "word") and self.token.text in texts

    def expect(self, text: str) -> None:
        if not self.is_symbol(text):
            raise Untranslatable(f"no {text} where one is expected", self.token.position)
        self.index += 1

    def whole(self) -> Expression:
        node = self.expression(0)
        if self.token.kind != "end":
            raise Untranslatable("something after the end of the expression", self.token.position)
        return node

    def expression(self, level: int) -> Expression:
        if level == len(LEVELS):
            return self.sign()
        node = self.expression(level + 1)
        while self.is_symbol(*LEVELS[level]):
            operator = self.next().text
            if level == TYPE_LEVEL:
                node = TypeOperator(operator, node, self.type_name())
            else:
                node = Binary(operator, node, self.expression(level + 1))
        return node

    def sign(self) -> Expression:
        if self.is_symbol("-", "+"):
            return Sign(self.next().text, self.sign())
        return self.path()

    def path(self) -> Expression:
        node = self.term()
        while True:
            if self.is_symbol("."):
                self.index += 1
                node = self.invocation(node)
            elif self.is_symbol("["):
                self.index += 1
                node = At(node, self.expression(0))
                self.expect("]")
            else:
                return node

    def term(self) -> Expression:
        token = self.token
        if token.kind == "number":
            return self.number()
        if token.kind == "symbol":
            return self.bracketed()
        if token.kind == "word" and token.text in ("true", "false"):
            self.index += 1
            return Literal(token.text == "true")
        if token.kind in _LEAVES:
            self.index += 1
            return _LEAVES[token.kind](token.text)
        return self.invocation(None)

    def bracketed(self) -> Expression:
        if self.is_symbol("("):
            self.index += 1
            node = self.expression(0)
            self.expect(")")
            return node
        if self.is_symbol("{"):
            self.index += 1
            self.expect("}")
            return Empty()
        raise Untranslatable("an operator where a term is expected", self.token.position)

    def number(self) -> Expression:
        text = self.next().text
        if self.token.kind == "string":
            return Amount(Decimal(text), self.next().text, calendar=False)
        if self.token.kind == "word" and self.token.text in CALENDAR_WORDS:
            return Amount(Decimal(text), self.next().text.removesuffix("s"), calendar=True)
        return Literal(Decimal(text) if "." in text else int(text))

    def invocation(self, base: Expression | None) -> Expression:
        token = self.next()
        if token.kind == "dollar":
            if base is not None:
                raise Untranslatable("$this after a dot", token.position)
            return Dollar(token.text)
        if token.kind not in ("word", "quoted") or (token.kind == "word" and token.text in RESERVED):
            raise Untranslatable("no name where one is expected", token.position)
        if not self.is_symbol("("):
            return Member(base, token.text)
        self.index += 1
        arguments: list[Expression] = []
        if not self.is_symbol(")"):
            arguments.append(self.expression(0))
            while self.is_symbol(","):
                self.index += 1
                arguments.append(self.expression(0))
        self.expect(")")
        return Call(base, token.text, tuple(arguments))

    def type_name(self) -> str:
        name = self.name()
        if self.is_symbol("."):
            self.index += 1
            return f"{name}.{self.name()}"
        return name

    def name(self) -> str:
        token = self.next()
        if token.kind not in ("word", "quoted"):
            raise Untranslatable("no type name after is or as", token.position)
        return token.text
