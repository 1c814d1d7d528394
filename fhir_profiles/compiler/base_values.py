"""One JSON key of a type → the lines that test its value `v`, already taken from the object `n`.

The valid path is inline tests and calls that return None; what is wrong is told by runtime.py.
"""

from __future__ import annotations

from fhir_profiles.compiler.bindings import checks_of, emit_binding
from fhir_profiles.compiler.constraints import emit_constraints
from fhir_profiles.compiler.corrections import OF_THE_TYPE, SKIPPED
from fhir_profiles.compiler.library import BASE, Library
from fhir_profiles.compiler.members import CONTAINERS, RESOURCE_TYPES, Member, contexts_of, target_types
from fhir_profiles.compiler.memory import CONCEPTS
from fhir_profiles.compiler.popular import REPEATED
from fhir_profiles.compiler.writer import Writer, once_a_request, remembering, safe_name
from fhir_profiles.model import Binding, Element, Structure

TEXT = "type({v}) is not str or not {v} or not ({v}.isprintable() or text_ok({v}))"
URI = (
    "type({v}) is not str or {v} not in known_uris"
    ' and ({v}[:4] != "http" or " " in {v} or not {v}.isascii() or not {v}.isprintable())'
    " and not uri_ok({v})"
)

# Types that look at nothing around them, extensions apart (which the memory refuses).
CLOSED = frozenset((*CONCEPTS, "BackboneElement", "Extension", "Quantity", "Range", "string"))

# Inline tests: true when the value is wrong. Only types whose common values pass without a call are here.
WRONG = {
    "string": TEXT,
    "markdown": TEXT,
    "code": 'type({v}) is not str or not {v} or (" " in {v} or not {v}.isprintable()) and not code_ok({v})',
    "boolean": "{v} is not True and {v} is not False",
    "decimal": "type({v}) is not float and type({v}) is not int",
    "integer": "not integer_ok({v})",
    "positiveInt": "type({v}) is not int or not 0 < {v} < 2147483648",
    "unsignedInt": "type({v}) is not int or not 0 <= {v} < 2147483648",
    "id": "type({v}) is not str or not ({v}.isalnum() and {v}.isascii() and len({v}) < 65) and not id_ok({v})",
    "uri": URI,
    "url": URI,
    "canonical": URI,
    "oid": "not oid_ok({v})",
    "uuid": "not uuid_ok({v})",
    "date": "not date_ok({v})",
    "dateTime": "not datetime_ok({v})",
    "instant": "not instant_ok({v})",
    "time": "not time_ok({v})",
    "base64Binary": "not base64_ok({v})",
    "xhtml": "type({v}) is not str or usual_narrative({v}) is None and not xhtml_ok({v})",
}


class ValueCode:
    """Writes the tests of the members of one type."""

    def __init__(self, writer: Writer, structure: Structure, library: Library) -> None:
        self.write = writer
        self.structure = structure
        self.library = library

    def value(self, owner: Element, member: Member) -> None:
        """Write the test of one key's value `v`."""
        write, step = self.write, self.write.constant(member.step)
        if member.element.name in ("extension", "modifierExtension"):
            contexts = write.constant(contexts_of(owner.path, self.structure))
            call = "extensions" if member.element.name == "extension" else "modifier_extensions"
            write(f"e = {call}(e, v, x, {contexts})")
        elif member.primitive:
            if member.repeats:
                self._primitives(member, step)
            else:
                self._primitive(member, step)
        elif self._is_memorable(member):
            check = " ".join(
                (
                    member.element.path if member.element.path in REPEATED else member.type.code,
                    "list" if member.repeats else "",
                    *map(" ".join, self._bound_to(member)),
                )
            )
            with remembering(write, check, [f"{BASE} {one}" for one, _ in self._bound_to(member)]):
                self._value_or_values(member, step)
        elif member.type.code == "Reference" and self._has_no_rules(member):
            targets = sorted(target_types(member.type, self.library) or ())
            with once_a_request(write, " ".join(("list" if member.repeats else "", *targets))):
                self._value_or_values(member, step)
        else:
            self._value_or_values(member, step)

    def _value_or_values(self, member: Member, step: str) -> None:
        """Write the test of a complex value, or of a list of them."""
        write = self.write
        if not member.repeats:
            self._complex(member, "v", f"up(e, r, {step})")
            return
        with write.block("if type(v) is list and v:"):
            write("i = 0")
            with write.block("for w in v:"):
                self._complex(member, "w", f"upi(e, r, {step}, i)")
                write("i += 1")
        with write.block("else:"):
            write(f"e = bad_list(e, v, {step})")

    def _bound_to(self, member: Member) -> tuple[tuple[str, str], ...]:
        return checks_of(member.element.binding) if member.element.binding else ()

    def _is_memorable(self, member: Member) -> bool:
        """Say whether the answer depends on the value alone: a coded type without rules of this element."""
        if member.element.path in REPEATED:
            return self._is_closed(member.element.path)
        return member.type.code in CONCEPTS and self._has_no_rules(member)

    def _is_closed(self, path: str) -> bool:
        """Say whether nothing in a backbone element looks around: plain types, no rule of it, no binding."""
        inside = [one for one in self.structure.elements if one.path.startswith(path)]
        return all(
            {kind.code for kind in one.types} <= CLOSED
            and not (one.binding and checks_of(one.binding))
            and not any("%" in rule.expression for rule in one.constraints)
            for one in inside
        )

    def _has_no_rules(self, member: Member) -> bool:
        rules = {one.expression for one in member.element.constraints}
        return not member.element.content_reference and rules <= SKIPPED.keys() | OF_THE_TYPE

    def _complex(self, member: Member, variable: str, raise_up: str) -> None:
        write, code = self.write, member.type.code
        write(f"r = {self._function(member)}({variable}, x)")
        with write.block("if r is not None:"):
            write(f"e = {raise_up}")
        if code == "Reference" and member.type.targets:
            self._targets(member, variable, raise_up)
        elif member.element.binding:
            emit_binding(write, member.element.binding, code, variable=variable, raise_up=raise_up)
        if code not in CONTAINERS:
            emit_constraints(
                write, member.element, self.structure, node=variable, raise_up=raise_up, type_code=code or None
            )

    def _function(self, member: Member) -> str:
        if member.element.content_reference:
            return safe_name("t_" + member.element.content_reference.partition("#")[2].replace(".", "_"))
        if member.type.code in CONTAINERS:
            return safe_name("t_" + member.element.path.replace(".", "_"))
        if member.type.code in RESOURCE_TYPES:
            return "entry_resource" if member.element.path == "Bundle.entry.resource" else "contained_resource"
        return self.write.link("type", safe_name(member.type.code))

    def _targets(self, member: Member, variable: str, raise_up: str) -> None:
        write = self.write
        types = target_types(member.type, self.library)
        if types:
            allowed = write.constant(types)
            said = f'type(s := {variable}.get("reference")) is not str or s.partition("/")[0] not in {allowed}'
            typed = f'type(s := {variable}.get("type")) is str and s not in {allowed}'
            with write.block(f"elif {said} or {typed}:"):
                write(f"r = refers({variable}, x, {allowed})")
                with write.block("if r is not None:"):
                    write(f"e = {raise_up}")

    def _primitive(self, member: Member, step: str) -> None:
        write, code = self.write, member.type.code
        binding, kind = member.element.binding, self.write.constant(member.type.code)
        wrong = WRONG[code].format(v="v")
        if binding and code in ("code", "uri") and len(checks_of(binding)) == 1:
            self._bound_code(binding, step, kind)
        else:
            with write.block(f"if {wrong}:"):
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
            return
        emit_constraints(write, member.element, self.structure, node="v", raise_up=f"up(e, r, {step})", type_code=code)

    def _bound_code(self, binding: Binding, step: str, kind: str) -> None:
        """A code of the value set is well formed: only another string needs its format looked at."""
        write = self.write
        ((value_set, severity),) = checks_of(binding)
        codes = write.link("codes", f"{BASE} {value_set}")
        with write.block(f"if type(v) is not str or v not in {codes}:"):
            expansion = write.link("expansion", f"{BASE} {value_set}")
            write(f"e = bad_code(e, v, {step}, {kind}, x, {expansion}, {write.constant(severity)})")

    def _primitives(self, member: Member, step: str) -> None:
        write, code = self.write, member.type.code
        binding, kind = member.element.binding, self.write.constant(member.type.code)
        with write.block("if type(v) is list and v:"):
            with write.block("for w in v:"), write.block(f"if {WRONG[code].format(v='w')}:"):
                write(f"e = bad_items(e, n, v, {step}, {kind})")
                write("break")
            if binding and checks_of(binding):
                with write.block("else:"):
                    write("i = 0")
                    with write.block("for w in v:"):
                        emit_binding(write, binding, code, variable="w", raise_up=f"upi(e, r, {step}, i)")
                        write("i += 1")
        with write.block("else:"):
            write(f"e = bad_list(e, v, {step})")
