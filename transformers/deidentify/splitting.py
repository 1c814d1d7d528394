"""Projected resources → one group a person: what one event carries, and its key (DESIGN §5). Pure.

Structures of no person travel with the persons that refer to them, transitively, or alone under the hospital.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from transformers.deidentify.known import PERSON, STAY, STRUCTURES, Known

OWNER_ELEMENTS = ("subject", "patient", "beneficiary")
STAY_ELEMENTS = ("encounter", "context")


class Item(NamedTuple):
    """One projected resource: the entry that it came with, its identity, its content, the structures it refers to."""

    entry: int
    known: Known
    content: dict[str, Any]
    targets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Item(entry={self.entry}, type={self.known.type})"


@dataclass(slots=True)
class Group:
    """What one event carries."""

    key: str
    items: list[Item] = field(default_factory=list)


class Persons:
    """Which aliases of one bundle are one person, and whose stay a stay alias is."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._leader: dict[str, str] = {}
        self._of_stay: dict[str, str] = {}
        for item in items:
            if item.known.type == "Patient":
                self._join(item.known.aliases)
        for item in items:
            owner = referred(item.content, OWNER_ELEMENTS, PERSON) if item.known.type == "Encounter" else None
            if owner is not None:
                self._of_stay |= dict.fromkeys(item.known.aliases, self.leader(owner))

    def leader(self, alias: str) -> str:
        """Return the alias that stands for the person."""
        return self._leader.get(alias, alias)

    def owner(self, item: Item) -> str | None:
        """Return the person of a resource, by its subject, else by its stay."""
        if item.known.type == "Patient":
            return self.leader(item.known.aliases[0])
        found = referred(item.content, OWNER_ELEMENTS, PERSON)
        if found is not None:
            return self.leader(found)
        stay = referred(item.content, STAY_ELEMENTS, STAY)
        return self._of_stay.get(stay) if stay is not None else None

    def _join(self, aliases: tuple[str, ...]) -> None:
        leaders = {self._leader[alias] for alias in aliases if alias in self._leader}
        chosen = min(leaders) if leaders else aliases[0]
        if len(leaders) > 1:  # this Patient shows that two persons of the bundle are one
            for alias, leader in list(self._leader.items()):
                if leader in leaders:
                    self._leader[alias] = chosen
        self._leader |= dict.fromkeys(aliases, chosen)


def referred(content: Mapping[str, Any], elements: Iterable[str], system: str) -> str | None:
    """Return the first alias of a system that one of these elements refers to."""
    for name in elements:
        if name in content:
            value = content[name]
            for reference in value if type(value) is list else (value,):
                identifier = reference["identifier"]
                if identifier["system"] == system:
                    alias: str = identifier["value"]
                    return alias
    return None


def split(items: Sequence[Item], persons: Persons, *, finess: str) -> tuple[list[Group], list[Item]]:
    """Return the groups in the order of their first entry, and what belongs to nobody."""
    groups: dict[str, Group] = {}
    structures: dict[str, Item] = {}
    orphans: list[Item] = []
    for item in items:
        key = _key(item, persons)
        if key is not None:
            group = groups.get(key)
            if group is None:
                group = groups[key] = Group(key)
            group.items.append(item)
        elif item.known.type in STRUCTURES:
            structures[item.known.key] = item
        else:
            orphans.append(item)
    carried: set[str] = set()
    for group in groups.values():
        reached = list(_reached(group.items, structures))
        carried |= {one.known.key for one in reached}
        group.items = sorted([*group.items, *reached], key=lambda one: one.entry)
    alone = [item for key, item in structures.items() if key not in carried]
    found = list(groups.values())
    if alone:
        found.append(Group(f"structure|{finess}", alone))
    return found, orphans


def _key(item: Item, persons: Persons) -> str | None:
    owner = persons.owner(item)
    if owner is not None:
        return f"person|{owner}"
    if item.known.type == "Encounter":
        return f"stay|{item.known.aliases[0]}"
    stay = referred(item.content, STAY_ELEMENTS, STAY)
    return f"stay|{stay}" if stay is not None else None


def _reached(items: Iterable[Item], structures: Mapping[str, Item]) -> Iterator[Item]:
    """Yield the structures that items refer to, and those that these refer to."""
    todo = [target for item in items for target in item.targets]
    seen: set[str] = set()
    while todo:
        key = todo.pop()
        if key in structures and key not in seen:
            seen.add(key)
            yield structures[key]
            todo += structures[key].targets
