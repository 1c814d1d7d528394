"""A type's rules → the source of its check: one function a type, one a backbone element.

`T(n, x)` gets the JSON value of an element and the context; it returns None or findings. The valid path is a
loop over the keys with inline tests; the rest lives in runtime.py. Keys that are rare go through a dispatch table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fhir_profiles.compiler.bindings import emit_binding
from fhir_profiles.compiler.constraints import emit_constraints
from fhir_profiles.compiler.library import BASE, Library
from fhir_profiles.compiler.popular import INLINE, rank
from fhir_profiles.compiler.primitives import CHECKS
from fhir_profiles.compiler.writer import Writer, safe_name
from fhir_profiles.model import MANY, Element, Structure, TypeRef, short_type, unversioned

# Inline tests: true when the value is wrong. Only types whose common values pass without a call are here.
WRONG = {
    "string": "type({v}) is not str or not {v} or not ({v}.isprintable() or text_ok({v}))",
    "markdown": "type({v}) is not str or not {v} or not ({v}.isprintable() or text_ok({v}))",
    "code": "not code_ok({v})",
    "boolean": "{v} is not True and {v} is not False",
    "decimal": "type({v}) is not float and type({v}) is not int",
    "integer": "not integer_ok({v})",
    "positiveInt": "type({v}) is not int or not 0 < {v} < 2147483648",
    "unsignedInt": "type({v}) is not int or not 0 <= {v} < 2147483648",
    "id": "not id_ok({v})",
    "uri": "not uri_ok({v})",
    "url": "not uri_ok({v})",
    "canonical": "not uri_ok({v})",
    "oid": "not oid_ok({v})",
    "uuid": "not uuid_ok({v})",
    "date": "not date_ok({v})",
    "dateTime": "not datetime_ok({v})",
    "instant": "not instant_ok({v})",
    "time": "not time_ok({v})",
    "base64Binary": "not base64_ok({v})",
    "xhtml": "not xhtml_ok({v})",
}
RESOURCE_TYPES = ("Resource", "DomainResource")
CONTAINERS = ("BackboneElement", "Element")


@dataclass(frozen=True, slots=True)
class Member:
    """One JSON key of a type: its element, the type that the key stands for, the step of its path."""

    key: str
    element: Element
    type: TypeRef
    step: str
    group: str | None = None

    @property
    def repeats(self) -> bool:
        """Say whether its JSON is an array."""
        return self.element.maximum > 1


def write_type(writer: Writer, structure: Structure, library: Library) -> str:
    """Write the functions of a type and its backbone elements; return the name of the type's own."""
    return _TypeCode(writer, structure, library).write()


def members_of(elements: Sequence[Element], parent: str) -> list[Member]:
    """Return the JSON keys beneath a path: a choice element gives one a type."""
    depth = parent.count(".") + 1
    found: list[Member] = []
    for element in elements:
        if not element.path.startswith(parent + ".") or element.path.count(".") != depth or element.slice_name:
            continue
        if element.is_choice:
            stem = element.name[:-3]
            for kind in element.types:
                key = safe_name(stem + kind.code[0].upper() + kind.code[1:])
                found.append(Member(key, element, kind, f".{stem}.ofType({safe_name(kind.code)})", stem))
        else:
            kind = element.types[0] if element.types else TypeRef("")
            found.append(Member(safe_name(element.name), element, kind, f".{element.name}"))
    return found


class _TypeCode:
    """Writes one type; holds the writer and the names of the functions already written."""

    def __init__(self, writer: Writer, structure: Structure, library: Library) -> None:
        self.writer = writer
        self.structure = structure
        self.library = library
        self.functions: dict[str, str] = {}

    def write(self) -> str:
        for element in reversed(self.structure.elements):
            if any(kind.code in CONTAINERS for kind in element.types) and element.path != self.structure.type:
                self._function(element)
        return self._function(self.structure.elements[0])

    def _function(self, owner: Element) -> str:
        path = owner.path
        name = safe_name("t_" + path.replace(".", "_"))
        members = members_of(self.structure.elements, path)
        inline = sorted(members, key=lambda one: (rank(one.key), one.key))[:INLINE]
        rest = [one for one in members if one not in inline]
        table = self._table(path, rest) if rest else None
        write = self.writer
        with write.function(f"{name}(n, x)"):
            with write.block("if type(n) is not dict or not n:"):
                write(f"return bad_object(n, {write.constant(path)})")
            write("e = None")
            groups = {one.group for one in members if one.group}
            for group in sorted(groups):
                write(f"g_{safe_name(group)} = 0")
            with write.block("for k, v in n.items():"):
                self._chain(owner, inline, rest, table)
            self._cardinalities(owner, members)
            emit_constraints(write, owner, self.structure, node="n")
            if self.structure.kind == "resource" and path == self.structure.type:
                with write.block("if e is not None:"):
                    write(f"e = settle(e, {write.constant(path)})")
            write("return e")
        self.functions[path] = name
        return name

    def _chain(self, owner: Element, inline: list[Member], rest: list[Member], table: str | None) -> None:
        write = self.writer
        word = "if"
        if self.structure.kind == "resource" and owner.path == self.structure.type:
            with write.block('if k == "resourceType":'):
                write("pass")
            word = "elif"
        for member in inline:
            with write.block(f'{word} k == "{member.key}":'):
                if member.group:
                    write(f"g_{member.group} += 1")
                self._value(owner, member)
            word = "elif"
        with write.block("else:"):
            names = write.constant(self._primitives(owner))
            if table:
                write(f"f = {table}.get(k)")
                with write.block("if f is not None:"):
                    write("r = f(v, x, n)")
                    with write.block("if r is not None:"):
                        write("e = r if e is None else e + r")
                    for group in sorted({one.group for one in rest if one.group}):
                        keys = write.constant(frozenset(one.key for one in rest if one.group == group))
                        with write.block(f"if k in {keys}:"):
                            write(f"g_{group} += 1")
                head = "elif"
            else:
                head = "if"
            with write.block(f'{head} k[:1] == "_" and k[1:] in {names}:'):
                write(f"e = siblings(e, n, k, v, x, {names})")
            with write.block("else:"):
                write(f"e = unknown(e, k, {write.constant(owner.path)})")

    def _primitives(self, owner: Element) -> dict[str, tuple[str, str, bool]]:
        """Return type, path and repetition of the keys that may have a `_` sibling."""
        return {
            one.key: (one.type.code, one.element.path, one.repeats)
            for one in members_of(self.structure.elements, owner.path)
            if one.type.code in CHECKS
        }

    def _table(self, path: str, rest: list[Member]) -> str:
        """Write one small function a rare key, and the table that finds it."""
        write = self.writer
        table = safe_name("T_" + path.replace(".", "_"))
        owner = next(one for one in self.structure.elements if one.path == path)
        lines = []
        for member in rest:
            name = write.fresh("k_" + member.key)
            with write.function(f"{name}(v, x, n)"):
                write("e = None")
                self._value(owner, member)
                write("return e")
            lines.append(f'"{member.key}": {name}')
        write(f"{table} = {{{', '.join(lines)}}}")
        return table

    def _value(self, owner: Element, member: Member) -> None:
        """Write the test of one key's value `v`."""
        write, step = self.writer, self.writer.constant(member.step)
        code = member.type.code
        if member.element.name in ("extension", "modifierExtension"):
            contexts = write.constant(contexts_of(owner.path, self.structure))
            call = "extensions" if member.element.name == "extension" else "modifier_extensions"
            write(f"e = {call}(e, v, x, {contexts})")
        elif code in CHECKS:
            self._primitive(member, step)
        elif member.repeats:
            with write.block("if type(v) is list and v:"):
                write("i = 0")
                with write.block("for w in v:"):
                    self._complex(member, "w", f"upi(e, r, {step}, i)")
                    write("i += 1")
            with write.block("else:"):
                write(f"e = bad_list(e, v, {step})")
        else:
            self._complex(member, "v", f"up(e, r, {step})")

    def _complex(self, member: Member, variable: str, raise_up: str) -> None:
        write = self.writer
        if member.element.content_reference:
            target = member.element.content_reference.partition("#")[2]
            function = safe_name("t_" + target.replace(".", "_"))
        elif member.type.code in CONTAINERS:
            function = safe_name("t_" + member.element.path.replace(".", "_"))
        elif member.type.code in RESOURCE_TYPES:
            function = "entry_resource" if member.element.path == "Bundle.entry.resource" else "contained_resource"
        else:
            function = write.link("type", safe_name(member.type.code))
        write(f"r = {function}({variable}, x)")
        with write.block("if r is not None:"):
            write(f"e = {raise_up}")
        if member.type.code == "Reference" and member.type.targets:
            targets = target_types(member.type, self.library)
            if targets:
                with write.block("else:"):
                    write(f"r = refers({variable}, x, {write.constant(targets)})")
                    with write.block("if r is not None:"):
                        write(f"e = {raise_up}")
        elif member.element.binding:
            emit_binding(write, member.element.binding, member.type.code, variable=variable, raise_up=raise_up)
        if member.type.code not in CONTAINERS:
            emit_constraints(
                write,
                member.element,
                self.structure,
                node=variable,
                raise_up=raise_up,
                type_code=member.type.code or None,
            )

    def _primitive(self, member: Member, step: str) -> None:
        write, code = self.writer, member.type.code
        kind = write.constant(code)
        binding = member.element.binding
        if member.repeats:
            with write.block("if type(v) is list and v:"):
                with write.block("for w in v:"), write.block(f"if {WRONG[code].format(v='w')}:"):
                    write(f"e = bad_items(e, n, v, {step}, {kind})")
                    write("break")
                if binding:
                    with write.block("else:"):
                        write("i = 0")
                        with write.block("for w in v:"):
                            emit_binding(write, binding, code, variable="w", raise_up=f"upi(e, r, {step}, i)")
                            write("i += 1")
            with write.block("else:"):
                write(f"e = bad_list(e, v, {step})")
            return
        with write.block(f"if {WRONG[code].format(v='v')}:"):
            write(f"e = bad(e, v, {step}, {kind})")
        extra = len(write.lines)
        with write.block("else:"):
            if binding:
                emit_binding(write, binding, code, variable="v", raise_up=f"up(e, r, {step})")
            if member.element.max_length:
                with write.block(f"if len(v) > {int(member.element.max_length)}:"):
                    write(f"e = too_long(e, {step}, {int(member.element.max_length)})")
            emit_constraints(
                write, member.element, self.structure, node="v", raise_up=f"up(e, r, {step})", type_code=code
            )
        if write.lines[extra:] and write.lines[-1].strip() == "pass":
            del write.lines[extra:]

    def _cardinalities(self, owner: Element, members: list[Member]) -> None:
        write = self.writer
        parent = write.constant(owner.path)
        done: set[str] = set()
        for member in members:
            element = member.element
            if element.path in done:
                continue
            done.add(element.path)
            name = write.constant(element.name)
            if member.group:
                with write.block(f"if g_{member.group} > 1:"):
                    write(f"e = several(e, {name}, {parent})")
                if element.minimum:
                    keys = tuple(f"_{one.key}" for one in members if one.group == member.group)
                    with write.block(f"if not g_{member.group} and not any_key(n, {write.constant(keys)}):"):
                        write(f"e = missing(e, {name}, {parent})")
            elif element.minimum:
                beside = f' and "_{member.key}" not in n' if member.type.code in CHECKS else ""
                with write.block(f'if "{member.key}" not in n{beside}:'):
                    write(f"e = missing(e, {name}, {parent})")
            if element.maximum not in (0, 1, MANY):
                with write.block(
                    f'if type(n.get("{member.key}")) is list and len(n["{member.key}"]) > {element.maximum}:'
                ):
                    write(f"e = too_many(e, {name}, {element.maximum}, {parent})")


def contexts_of(path: str, structure: Structure) -> tuple[str, ...]:
    """Return the context expressions that an element of this path answers to by itself."""
    if path == structure.type:
        generic = ("Resource", "DomainResource") if structure.kind == "resource" else ("Element",)
        parents = (structure.base.rpartition("/")[2].partition("|")[0],) if structure.base else ()
        return (path, *generic, *(one for one in parents if one not in generic))
    return (path, "Element", "BackboneElement")


def target_types(kind: TypeRef, library: Library, *, scope: str = BASE) -> frozenset[str] | None:
    """Return the resource types that a reference may name; None when any may."""
    names: set[str] = set()
    for target in kind.targets:
        found = library.definition(target, scope=scope)
        name = short_type(str(found.raw["type"])) if found else short_type(unversioned(target))
        if name in RESOURCE_TYPES or "/" in name:
            return None
        names.add(name)
    return frozenset(names)
