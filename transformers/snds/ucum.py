"""UCUM codes → factor and base units, by a reader of UCUM's grammar over the packaged atoms. Pure.

Out: what two units have in common, never a guess: an unknown atom gives None. Why not a library: docs/decisions/0005.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from transformers.snds.schema import packaged

SYSTEMS = frozenset({"http://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8"})
PREFIXES: Mapping[str, float] = {
    "Y": 1e24, "Z": 1e21, "E": 1e18, "P": 1e15, "T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "h": 1e2, "da": 1e1,
    "d": 1e-1, "c": 1e-2, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18, "z": 1e-21, "y": 1e-24,
}  # fmt: skip
OFFSETS: Mapping[str, tuple[float, float]] = {"Cel": (1.0, 273.15), "[degF]": (5 / 9, 459.67 * 5 / 9)}
ANNOTATION = re.compile(r"\{[^{}]*\}")
TOKEN = re.compile(
    r"(?P<open>\()|(?P<close>\))|(?P<operator>[./])"
    r"|(?P<power>10[*^])(?P<of_ten>[+-]?\d{1,2})?"
    r"|(?P<number>[1-9]\d{0,5})(?![\d*^])"
    r"|(?P<symbol>(?:[A-Za-z%']|\[[^\[\]\s]{1,16}\])+)(?P<exponent>[+-]?\d)?"
)
LONGEST = 40

Base = tuple[tuple[str, int], ...]


class Unit(NamedTuple):
    """A unit as a multiple of base units: value · factor + offset, in the product of `base` (name, exponent)."""

    factor: float
    base: Base = ()
    offset: float = 0.0


class _Atom(NamedTuple):
    metric: bool
    factor: float
    base: Mapping[str, int]


@lru_cache(maxsize=8192)  # bounded: the codes come from outside
def unit(code: str) -> Unit | None:
    """Return the unit of a UCUM code, None when it is not one (or holds an atom that is not packaged)."""
    if not code or len(code) > LONGEST or not code.isascii():
        return None
    if code in OFFSETS:
        factor, offset = OFFSETS[code]
        return Unit(factor, (("K", 1),), offset)
    # An annotation stands for a unit of its own (`{score}`, `/{HPF}`) or says more of the one before it.
    bare = ANNOTATION.sub("", code)
    if not bare:
        return Unit(1.0)
    if bare[-1] in "./" and code[-1] == "}":
        bare = bare + "1"
    tokens = _tokens(bare.replace("(/", "(1/"))
    if tokens is None:
        return None
    found = _Reader(tokens).read()
    if found is None:
        return None
    factor, base = found
    return Unit(factor, tuple(sorted((name, power) for name, power in base.items() if power)))


def _tokens(code: str) -> list[re.Match[str]] | None:
    tokens, position = [], 0
    while position < len(code):
        found = TOKEN.match(code, position)
        if found is None:
            return None
        tokens.append(found)
        position = found.end()
    return tokens


class _Reader:
    """Reads tokens from left to right; `/` inverts the next component only, as UCUM says."""

    def __init__(self, tokens: list[re.Match[str]]) -> None:
        self._tokens = tokens
        self._next = 0

    def read(self) -> tuple[float, dict[str, int]] | None:
        """Return factor and base of the whole, None when it is not well formed."""
        found = self._term()
        return found if self._next == len(self._tokens) else None

    def _term(self) -> tuple[float, dict[str, int]] | None:
        factor, base, power = 1.0, dict[str, int](), 1
        if self._peek("operator") == "/":
            self._next, power = self._next + 1, -1
        while True:
            component = self._component()
            if component is None:
                return None
            factor *= component[0] ** power
            for name, exponent in component[1].items():
                base[name] = base.get(name, 0) + exponent * power
            operator = self._peek("operator")
            if operator is None:
                return factor, base
            self._next, power = self._next + 1, 1 if operator == "." else -1

    def _component(self) -> tuple[float, Mapping[str, int]] | None:
        if self._next >= len(self._tokens):
            return None
        token = self._tokens[self._next]
        self._next += 1
        if token["open"]:
            inner = self._term()
            if inner is None or self._peek("close") is None:
                return None
            self._next += 1
            return inner
        if token["power"]:
            return 10.0 ** int(token["of_ten"] or 1), {}
        if token["number"]:
            return float(token["number"]), {}
        return _power(token["symbol"], int(token["exponent"] or 1)) if token["symbol"] else None

    def _peek(self, group: str) -> str | None:
        return self._tokens[self._next][group] if self._next < len(self._tokens) else None


def _power(symbol: str, exponent: int) -> tuple[float, Mapping[str, int]] | None:
    atom = _atoms().get(symbol)
    scale = 1.0
    if atom is None:
        for size in (1, 2):
            atom = _atoms().get(symbol[size:])
            if symbol[:size] in PREFIXES and atom is not None and atom.metric:
                scale = PREFIXES[symbol[:size]]
                break
        else:
            return None
    return (atom.factor * scale) ** exponent, {name: power * exponent for name, power in atom.base.items()}


@cache
def _atoms() -> Mapping[str, _Atom]:
    found = {}
    for code, metric, factor, base in rows("ucum-atoms.tsv", width=4):
        powers = {}
        for part in filter(None, base.split(".")):
            name, power = _base(part)
            powers[name] = power
        found[code] = _Atom(metric == "1", float(factor), powers)
    return found


def _base(part: str) -> tuple[str, int]:
    found = re.fullmatch(r"([^0-9-]+?)(-?\d+)?", part)
    if found is None:
        raise ValueError("ucum-atoms.tsv: a base unit is a name and an exponent")
    return found[1], int(found[2] or 1)


def rows(name: str, *, width: int) -> list[list[str]]:
    """Return the lines of a packaged table, comments left out, each of `width` fields."""
    lines = (line.split("\t") for line in packaged(name).splitlines() if line and not line.startswith("#"))
    return [[*fields, *[""] * (width - len(fields))][:width] for fields in lines]
