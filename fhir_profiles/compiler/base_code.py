"""A type's rules → the source of its check: one function a type, one a backbone element.

`t_X(n, x)` gets the JSON value of an element and the context; it returns None or findings. The keys that data uses
are asked for one by one and counted; only when some are left, a second function looks at the rest.
"""

from __future__ import annotations

from dataclasses import replace

from fhir_profiles.compiler.base_values import ValueCode
from fhir_profiles.compiler.constraints import Part, emit_constraints
from fhir_profiles.compiler.library import Library
from fhir_profiles.compiler.members import CONTAINERS, Member, members_of
from fhir_profiles.compiler.popular import INLINE, popular_keys
from fhir_profiles.compiler.writer import Writer, safe_name
from fhir_profiles.model import MANY, Element, Structure

# What `bundle_rules.py` checks of a posted Bundle, at the entry that breaks it (a test compares the two lists).
OF_THE_REQUEST = frozenset(f"bdl-{number}" for number in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12))


def write_type(writer: Writer, structure: Structure, library: Library) -> str:
    """Write the functions of a type and its backbone elements; return the name of the type's own."""
    code = _TypeCode(writer, structure, library)
    root, *below = structure.elements
    for element in reversed(below):
        if any(kind.code in CONTAINERS for kind in element.types):
            code.function(element)
    return code.function(root)


class _TypeCode:
    def __init__(self, writer: Writer, structure: Structure, library: Library) -> None:
        self.write = writer
        self.structure = structure
        self.values = ValueCode(writer, structure, library)

    def function(self, owner: Element) -> str:
        """Write the function of a type or backbone element."""
        write, path = self.write, owner.path
        name = safe_name("t_" + path.replace(".", "_"))
        members = members_of(self.structure.elements, path)
        asked = {one.key: one for one in members}
        popular = [asked[key] for key in popular_keys(path) if key in asked][:INLINE]
        is_resource = self.structure.kind == "resource" and path == self.structure.type
        others = self._rest(owner, members, popular, is_resource=is_resource)
        with write.function(f"{name}(n, x)"):
            with write.block("if type(n) is not dict or not n:"):
                write(f"return bad_object(n, {write.constant(path)})")
            write("e = None")
            write("c = 1" if is_resource else "c = 0")
            groups = self._groups(members)
            for group in groups:
                write(f"g_{group} = 0")
            for member in popular:
                self._popular(owner, member)
            for group, listed in groups.items():
                self._group(owner, group, listed)
            self._mandatory(owner, [one for one in members if one not in popular and not one.group])
            common = frozenset(one.key for one in popular)
            with write.block("if c != len(n):"):
                write(f"e = {others}(e, n, x)")
                for group, listed in groups.items():
                    self._several(owner, listed, f"g_{group} < 2 and ")
                self._constraints(owner, common, part="rare")
            self._constraints(owner, common, part="usual")
            if is_resource:
                with write.block("if e is not None:"):
                    write(f"e = settle(e, {write.constant(path)}, n, x)")
            write("return e")
        return name

    def _constraints(self, owner: Element, common: frozenset[str], *, part: Part) -> None:
        """Write the constraints; those of a posted Bundle are rules of the request, which its caller checks by hand."""
        write, structure = self.write, self.structure
        if owner.path.partition(".")[0] != "Bundle":
            emit_constraints(write, owner, structure, node="n", common=common, part=part)
        elif part == "usual":
            by_caller = tuple(one for one in owner.constraints if one.key in OF_THE_REQUEST)
            rest = tuple(one for one in owner.constraints if one.key not in OF_THE_REQUEST)
            emit_constraints(write, replace(owner, constraints=rest), structure, node="n")
            with write.block("if not x.skip_entries:"):
                emit_constraints(write, replace(owner, constraints=by_caller), structure, node="n")

    def _groups(self, members: list[Member]) -> dict[str, list[Member]]:
        found: dict[str, list[Member]] = {}
        for one in members:
            if one.group:
                found.setdefault(one.group, []).append(one)
        return found

    def _popular(self, owner: Element, member: Member) -> None:
        """Write the test of a key that is asked for."""
        write = self.write
        with write.block(f'if "{member.key}" in n:'):
            write(f'v = n["{member.key}"]')
            write("c += 1")
            if member.group:
                write(f"g_{member.group} += 1")
            self.values.value(owner, member)
            self._maximum(owner, member)
        if member.element.minimum and not member.group:
            with write.block(f'elif "_{member.key}" not in n:' if member.primitive else "else:"):
                write(f"e = missing(e, {write.constant(member.element.name)}, {write.constant(owner.path)})")

    def _maximum(self, owner: Element, member: Member) -> None:
        maximum = member.element.maximum
        if maximum not in (0, 1, MANY):
            write = self.write
            with write.block(f"if type(v) is list and len(v) > {maximum}:"):
                name = write.constant(member.element.name)
                write(f"e = too_many(e, {name}, {maximum}, {write.constant(owner.path)})")

    def _rest(self, owner: Element, members: list[Member], popular: list[Member], *, is_resource: bool) -> str:
        """Write the function that looks at the keys that are not asked for; return its name."""
        write, path = self.write, owner.path
        table = self._table(owner, [one for one in members if one not in popular])
        name = write.fresh("rest")
        seen = frozenset(one.key for one in popular) | (frozenset(("resourceType",)) if is_resource else frozenset())
        siblings = {one.key: (one.type.code, one.element.path, one.repeats) for one in members if one.primitive}
        names = write.constant(siblings)
        with write.function(f"{name}(e, n, x)"):
            with write.block("for k, v in n.items():"):
                with write.block(f"if k in {write.constant(seen)}:"):
                    write("continue")
                with write.block(f"if (f := {table}.get(k)) is not None:"):
                    write("e = f(e, v, x, n)")
                with write.block(f'elif k[:1] == "_" and k[1:] in {names}:'):
                    write(f"e = siblings(e, n, k, v, x, {names})")
                with write.block("else:"):
                    write(f"e = unknown(e, k, {write.constant(path)})")
            write("return e")
        return name

    def _table(self, owner: Element, rest: list[Member]) -> str:
        """Write one small function a rare key, and the table that finds it."""
        write = self.write
        lines = []
        for member in rest:
            name = write.fresh("k_" + member.key)
            with write.function(f"{name}(e, v, x, n)"):
                self.values.value(owner, member)
                self._maximum(owner, member)
                write("return e")
            lines.append(f'"{member.key}": {name}')
        table = safe_name("T_" + owner.path.replace(".", "_"))
        write(f"{table} = {{{', '.join(lines)}}}")
        return table

    def _group(self, owner: Element, group: str, listed: list[Member]) -> None:
        """Write the rule of a choice: one value at most, and one at least where it is mandatory."""
        write, element = self.write, listed[0].element
        name, parent = write.constant(element.name), write.constant(owner.path)
        with write.block(f"if g_{group} > 1:"):
            write(f"e = several(e, {name}, {parent})")
        if element.minimum:
            either = write.constant(tuple(key for one in listed for key in (one.key, f"_{one.key}")))
            with write.block(f"if not g_{group} and not any_key(n, {either}):"):
                write(f"e = missing(e, {name}, {parent})")

    def _several(self, owner: Element, listed: list[Member], condition: str) -> None:
        """Write the same rule for the values that are not asked for one by one."""
        write = self.write
        keys = write.constant(frozenset(one.key for one in listed))
        with write.block(f"if {condition}several_keys(n, {keys}):"):
            write(f"e = several(e, {write.constant(listed[0].element.name)}, {write.constant(owner.path)})")

    def _mandatory(self, owner: Element, members: list[Member]) -> None:
        """Write the minimum of the keys that are not asked for one by one."""
        write = self.write
        for member in members:
            if member.element.minimum:
                beside = f' and "_{member.key}" not in n' if member.primitive else ""
                with write.block(f'if "{member.key}" not in n{beside}:'):
                    write(f"e = missing(e, {write.constant(member.element.name)}, {write.constant(owner.path)})")
