"""The primitive at the end of a way → conditions on its value: equality, order, membership, parts of strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fhir_profiles.fhirpath.conditions import NOTHING, Truth, joined, total
from fhir_profiles.fhirpath.translate import quoted
from fhir_profiles.fhirpath.types import PRIMITIVES
from fhir_profiles.fhirpath.ways import NotInline, Paths, Way, split

TEXTS = frozenset({"string", "code", "uri", "url", "canonical", "id", "oid", "uuid", "markdown", "base64Binary"})
NUMBERS = frozenset({"decimal", "integer", "positiveInt", "unsignedInt"})
MOMENTS = frozenset({"date", "dateTime", "instant"})
BOOLEANS = frozenset({"boolean"})
# Each comparison as Python writes it, and its opposite.
COMPARISONS = {
    "<": ("<", ">="),
    "<=": ("<=", ">"),
    ">": (">", "<="),
    ">=": (">=", "<"),
    "=": ("==", "!="),
    "!=": ("!=", "=="),
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A primitive: the conditions to reach its element, the loops, that it is there, its value, its value or None."""

    head: tuple[str, ...]
    loops: str
    present: str
    has_value: str
    value: str
    maybe: str
    key: str | None

    @property
    def cost(self) -> int:
        """Return a rough measure of reaching it."""
        return 4 + 2 * len(self.head)


def leaf(ways: Sequence[Way], kinds: frozenset[str], paths: Paths) -> Leaf:
    """Return the only primitive that a path leads to, of one of the kinds; a single one for each element."""
    if len(ways) != 1:
        raise NotInline
    way = ways[0]
    head, loops = split(way)
    if way.last is None:
        if way.type not in kinds or way.type not in PRIMITIVES:
            raise NotInline
        return Leaf(head, loops, "True", "True", way.item, way.item, None)
    if len(way.last.options) != 1 or way.last.many or way.last.options[0][1] not in kinds:
        raise NotInline
    key = quoted(way.last.options[0][0])
    own = way.last.options[0][0] if not head and not loops else None
    there = f"({key} in {way.item})"
    return Leaf(head, loops, paths.present(way), there, f"{way.item}[{key}]", f"{way.item}.get({key})", own)


def no_loop(found: Leaf) -> Leaf:
    """Return the leaf if its path leads to one element at most."""
    if found.loops:
        raise NotInline
    return found


def equals_text(found: Leaf, text: str) -> Truth:
    """Return that a string is the constant `text`."""
    if not found.loops:
        true = joined("and", *found.head, f"{found.maybe} == {text}")
        return Truth(true, joined("and", *found.head, found.present, f"{found.maybe} != {text}"), found.cost + 3)
    values = f"[{found.maybe} {found.loops}{f' if {found.present}' if found.present != 'True' else ''}]"
    true = joined("and", *found.head, f"{values} == [{text}]")
    return Truth(true, joined("and", *found.head, f"fp.unlike({values}, {text})"), found.cost + 4)


def texts(ways: Sequence[Way], paths: Paths) -> str:
    """Return the source of the list of strings that ways lead to; what is no string stands as None."""
    lists = []
    for way in ways:
        if way.last is None or way.last.many or way.last.is_choice:
            raise NotInline
        head, loops = split(way)
        key, kind = way.last.options[0]
        if kind not in TEXTS and kind in PRIMITIVES:
            raise NotInline
        value = f"{way.item}.get({quoted(key)})" if kind in TEXTS else "None"
        listed = f"[{value} {loops or 'for _ in (0,)'} if {paths.present(way)}]"
        lists.append(f"({listed} if {joined('and', *head)} else [])" if head else listed)
    return lists[0] if len(lists) == 1 else f"[{', '.join(f'*{one}' for one in lists)}]"


def equals_text_on_ways(ways: Sequence[Way], text: str, paths: Paths) -> Truth:
    """Return that the one item that several ways lead to is a string; what is no string differs from every text."""
    values = texts(ways, paths)
    return Truth(f"({values} == [{text}])", f"fp.unlike({values}, {text})", 20 * len(ways))


def in_path(left: Sequence[Way], right: Sequence[Way], paths: Paths) -> Truth:
    """Return that the one string that a path leads to is among those of another path."""
    listed = [way.last.options[0][1] for way in (*left, *right) if way.last is not None]
    if len(listed) != len(left) + len(right) or not TEXTS.issuperset(listed):
        raise NotInline
    call = f"fp.is_among({texts(left, paths)}, {texts(right, paths)})"
    return Truth(f"({call} is True)", f"({call} is False)", 30)


def in_texts(found: Leaf, texts: str) -> Truth:
    """Return that a string is one of the constant set `texts`."""
    no_loop(found)
    true = joined("and", *found.head, f"{found.maybe} in {texts}")
    return Truth(true, joined("and", *found.head, found.present, f"{found.maybe} not in {texts}"), found.cost + 1)


def is_true(found: Leaf) -> Truth:
    """Return a boolean element."""
    no_loop(found)
    true = joined("and", *found.head, f"{found.maybe} is True")
    return Truth(true, joined("and", *found.head, f"{found.maybe} is False"), found.cost)


def has_value(found: Leaf) -> Truth:
    """Return that there is a value."""
    no_loop(found)
    keys = NOTHING if found.key is None else frozenset({found.key})
    return total(joined("and", *found.head, found.has_value), found.cost - 2, false_without=keys)


def text_or_empty(found: Leaf) -> str:
    """Return the source of the value, an empty text where there is none."""
    no_loop(found)
    value = f"({found.maybe} or '')"
    return f"({value} if {joined('and', *found.head)} else '')" if found.head else value


def tested(found: Leaf, test: str, opposite: str, cost: int) -> Truth:
    """Return a test of the value; `test` and `opposite` are written over `{v}`."""
    no_loop(found)
    there = (*found.head, found.has_value)
    true = joined("and", *there, test.format(v=found.value))
    return Truth(true, joined("and", *there, opposite.format(v=found.value)), found.cost + cost)


def compared(found: Leaf, operator: str, number: int, *, of: str = "{v}") -> Truth:
    """Return a comparison of the value, or of its length, with a number."""
    yes, no = COMPARISONS[operator]
    return tested(found, f"{of} {yes} {number}", f"{of} {no} {number}", 1)


def in_order(one: Leaf, other: Leaf) -> Truth:
    """Return that a date or dateTime is not later than another."""
    no_loop(one)
    no_loop(other)
    there = (*one.head, one.has_value, *other.head, other.has_value)
    call = f"fp.in_order({one.value}, {other.value})"
    cost = one.cost + other.cost + 4
    return Truth(joined("and", *there, f"{call} is True"), joined("and", *there, f"{call} is False"), cost)
