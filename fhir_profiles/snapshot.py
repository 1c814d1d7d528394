"""Differential + base → snapshot, for definitions that are published without one (FHIR R4 profiling §5.1.0.5).

Works on the JSON of ElementDefinitions. Promise: a missing base or a cycle is one clear error that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
Find = Callable[[str], "Json | None"]

CORE = "http://hl7.org/fhir/StructureDefinition/"
SYSTEM_TYPES = "http://hl7.org/fhirpath/"


def with_snapshot(raw: Json, find: Find, *, above: tuple[str, ...] = ()) -> Json:
    """Return the definition with a snapshot: its own, or one made from its base. Raises ValueError.

    Lines about elements that the base has not are left out and named in `snapshot.ignored`.
    """
    if raw.get("snapshot", {}).get("element"):
        return raw
    url = str(raw["url"])
    if url in above:
        raise ValueError(f"{url} is its own base, or the type of an element that it unfolds")
    if "baseDefinition" not in raw or "differential" not in raw:
        missing = "differential" if "baseDefinition" in raw else "baseDefinition"
        raise ValueError(f"neither a snapshot nor a {missing}")
    base = find(str(raw["baseDefinition"]))
    if base is None:
        raise ValueError(f"its base {raw['baseDefinition']} is not loaded")
    complete = with_snapshot(base, find, above=(*above, url))
    elements = [dict(one) for one in complete["snapshot"]["element"]]
    root = str(raw["type"]).rpartition("/")[2]
    above_it = str(complete["type"]).rpartition("/")[2]
    if root != above_it:
        raise ValueError(f"its type {root} is not that of its base, {above_it}")
    ignored = list(complete["snapshot"].get("ignored", ()))
    known = _Definitions(find, (*above, url))
    for change in _in_order(raw["differential"]["element"]):
        _check_types(change, find)
        try:
            _apply(elements, change, known=known, root=root)
        except _NoSuchElement as missing:
            ignored.append(str(missing))
    return {**raw, "snapshot": {"element": elements, "ignored": ignored}}


@dataclass(frozen=True, slots=True)
class _Definitions:
    """Where definitions are found, and which of them are being completed."""

    find: Find
    above: tuple[str, ...]

    def lines(self, kind: Json) -> list[Json]:
        """Return the lines of a type, or of the profile of it."""
        core = CORE + str(kind["code"])
        base = self.find((kind.get("profile") or [core])[0]) or self.find(core)
        complete = with_snapshot(base, self.find, above=self.above) if base is not None else None
        return list(complete["snapshot"]["element"]) if complete is not None else []


class _NoSuchElement(ValueError):  # noqa: N818 — says what is wrong
    """A differential names an element that the base has not."""


def _check_types(change: Json, find: Find) -> None:
    """Raise ValueError for a type that nobody defines; FHIRPath's own (`System.String`) are known."""
    for kind in change.get("type", ()):
        code = str(kind["code"])
        if not code.startswith(SYSTEM_TYPES) and find(CORE + code) is None and find(code) is None:
            raise ValueError(f"{change['id']}: its type {code} is not loaded")


def _in_order(changes: list[Json]) -> list[Json]:
    """Return the lines of a differential with ids; one that only repeats the path of a slice continues it."""
    found: list[Json] = []
    slices: dict[str, str] = {}
    for change in changes:
        identity = change.get("id")
        if identity is None:
            path = str(change["path"])
            owner = next((one for one in sorted(slices, key=len, reverse=True) if path.startswith(f"{one}.")), None)
            identity = slices[owner] + path[len(owner) :] if owner else path
            if "sliceName" in change:
                identity = f"{identity}:{change['sliceName']}"
                slices[path] = identity
            elif path in slices:
                del slices[path]
        found.append({**change, "id": identity})
    return found


def _apply(elements: list[dict[str, Any]], change: Json, *, known: _Definitions, root: str) -> None:
    identity = str(change.get("id") or change["path"])
    position = _position(elements, identity)
    if position is None:
        position = _make(elements, identity, known=known, root=root)
    elements[position] = _merged(elements[position], change)


def _position(elements: list[dict[str, Any]], identity: str) -> int | None:
    for index, one in enumerate(elements):
        if one.get("id", one.get("path")) == identity:
            return index
    return None


def _make(elements: list[dict[str, Any]], identity: str, *, known: _Definitions, root: str) -> int:
    """Make the line that a differential names and the base has not: a slice, or the children of a type."""
    parent, _, last = identity.rpartition(".")
    if not parent and ":" not in last:
        raise _NoSuchElement(f"{identity}: not an element of {root}")
    if ":" in last:
        unsliced = f"{parent}.{last.partition(':')[0]}" if parent else last.partition(":")[0]
        start = _position(elements, unsliced)
        if start is None:
            start = _make(elements, unsliced, known=known, root=root)
        end = _end(elements, unsliced)
        copied = {key: value for key, value in elements[start].items() if key not in ("slicing", "id", "path")}
        copied |= {"id": identity, "sliceName": last.partition(":")[2], "min": 0}
        elements.insert(end, copied)
        return end
    above = _position(elements, parent)
    if above is None:
        above = _make(elements, parent, known=known, root=root)
    found = _choice(elements, parent, last)
    if found is None and _end(elements, parent, children_only=True) == above + 1:
        _unfold(elements, above, last, known=known)
        found = _position(elements, identity)
        found = _choice(elements, parent, last) if found is None else found
    if found is None:
        raise _NoSuchElement(f"{identity}: {last} is not an element of {parent}")
    return found


def _choice(elements: list[dict[str, Any]], parent: str, last: str) -> int | None:
    """Find `value[x]` where a differential says `valueQuantity`: its slice, made where it is not there yet."""
    for one in list(elements):
        identity = str(one.get("id", one.get("path")))
        if identity.startswith(f"{parent}.") and identity.endswith("[x]"):
            stem = identity[len(parent) + 1 : -3]
            if "." not in stem and ":" not in stem and last.startswith(stem):
                wanted = last[len(stem) :].lower()
                types = [kind for kind in one.get("type", ()) if kind["code"].lower() == wanted]
                if types:
                    existing = _position(elements, f"{identity}:{last}")
                    if existing is not None:
                        return existing
                    copied = {key: value for key, value in one.items() if key not in ("id", "path", "slicing")}
                    copied |= {"id": f"{identity}:{last}", "sliceName": last, "type": types}
                    end = _end(elements, identity)
                    elements.insert(end, copied)
                    return end
    return None


def _unfold(elements: list[dict[str, Any]], position: int, wanted: str, *, known: _Definitions) -> None:
    """Copy the children of an element's type (or of its content reference, or of its unsliced element) beneath it."""
    owner = elements[position]
    identity = str(owner.get("id", owner.get("path")))
    source, prefix = _children_source(elements, owner, identity, wanted, known)
    end = _end(elements, identity)
    copies = []
    for one in source:
        other = str(one.get("id", one.get("path")))
        if other.startswith(prefix + "."):
            copied = {key: value for key, value in one.items() if key != "path"}
            copied["id"] = identity + other[len(prefix) :]
            if _position(elements, copied["id"]) is None:
                copies.append(copied)
    elements[end:end] = copies


def _children_source(
    elements: list[dict[str, Any]], owner: Json, identity: str, wanted: str, known: _Definitions
) -> tuple[list[Json], str]:
    head, _, last = identity.rpartition(".")
    unsliced = f"{head}.{last.partition(':')[0]}" if head else last.partition(":")[0]
    if (
        unsliced != identity
        and _end(elements, unsliced, children_only=True) != (_position(elements, unsliced) or 0) + 1
    ):
        return list(elements), unsliced
    reference = owner.get("contentReference")
    if reference:
        return list(elements), str(reference).partition("#")[2]
    types: list[Json] = owner.get("type") or []
    if len(types) != 1:
        raise _NoSuchElement(f"{identity}.{wanted}: a child of an element of {len(types)} types")
    listed = known.lines(types[0])
    if not listed:
        raise ValueError(f"{identity}: its type {types[0]['code']} is not loaded")
    return listed, str(listed[0].get("id", listed[0].get("path")))


def _end(elements: list[dict[str, Any]], identity: str, *, children_only: bool = False) -> int:
    """Return the position after an element, its children and (unless `children_only`) its slices."""
    ends = (f"{identity}.",) if children_only else (f"{identity}.", f"{identity}:", f"{identity}/")
    last = _position(elements, identity)
    if last is None:
        return len(elements)
    for index in range(last + 1, len(elements)):
        if str(elements[index].get("id", elements[index].get("path"))).startswith(ends):
            last = index
    return last + 1


def _merged(element: Json, change: Json) -> dict[str, Any]:
    merged = {**element, **{key: value for key, value in change.items() if key not in ("id", "path", "constraint")}}
    if "constraint" in change:
        known = {one["key"] for one in change["constraint"]}
        kept = [one for one in element.get("constraint", ()) if one["key"] not in known]
        merged["constraint"] = [*kept, *change["constraint"]]
    if "base" not in merged:
        merged["base"] = {"max": element.get("max", "*")}
    return merged
