"""The syntax tree of a FHIRPath expression. Values of literals are those of `values.py`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Empty:
    """`{}`."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A boolean, string, integer or decimal."""

    value: bool | str | int | Decimal


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, dateTime or time literal, as written after the `@` (`2015-02T`, `T14:30`)."""

    text: str


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity literal: a number and a UCUM unit, or a calendar word (`4 days`)."""

    value: Decimal
    unit: str
    calendar: bool


@dataclass(frozen=True, slots=True)
class Dollar:
    """`$this`, `$index` or `$total`."""

    name: str


@dataclass(frozen=True, slots=True)
class Variable:
    """`%resource`, `%ucum`, `%`vs-name``."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """`base.name`; without a base, `name` of the focus."""

    base: Expression | None
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """`base.name(arguments)`; without a base, on the focus."""

    base: Expression | None
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class At:
    """`base[index]`."""

    base: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Sign:
    """`-operand` or `+operand`."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class TypeOperator:
    """`operand is type` or `operand as type`."""

    operator: str
    operand: Expression
    type: str


Expression: TypeAlias = (
    Empty | Literal | Moment | Amount | Dollar | Variable | Member | Call | At | Sign | Binary | TypeOperator
)
