"""The plan of a profile → the source of its check: one function an element that has something to check.

Runs after the check of the type, on values that may be wrong in any way: it looks before it leaps.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from fhir_profiles.compiler.alone import memorable
from fhir_profiles.compiler.bindings import emit_binding
from fhir_profiles.compiler.constraints import emit_constraints
from fhir_profiles.compiler.defects import defects_of
from fhir_profiles.compiler.library import Definition, Library
from fhir_profiles.compiler.primitives import CHECKS
from fhir_profiles.compiler.slicing import Test
from fhir_profiles.compiler.tree import Trees
from fhir_profiles.compiler.works import Child, Key, Piece, Pieces, Planner, Work
from fhir_profiles.compiler.writer import Writer, remembering, safe_name
from fhir_profiles.model import Structure, Value, short_type

EXPECTED_MAXIMUM = 300


def write_profile(writer: Writer, definition: Definition, library: Library) -> str:
    """Write the functions of a profile; return the name of the first one."""
    structure = library.read(definition)
    trees = Trees(library)
    node = trees.of_profile(definition.key, definition.package)
    if node is None:
        raise ValueError(f"{definition.key}: not loaded")
    planner = Planner(trees, defects_of(structure.url, structure.version))
    work = planner.root(node)
    writer.not_checked += [(line.partition(":")[0], line) for line in structure.ignored] + planner.not_checked
    writer.rebound |= planner.rebound
    return _ProfileCode(writer, structure, library, definition.package).entry(work)


class _ProfileCode:
    def __init__(self, writer: Writer, structure: Structure, library: Library, scope: str) -> None:
        self.write = writer
        self.structure = structure
        self.library = library
        self.scope = scope
        self.remembering = False

    def entry(self, work: Work) -> str:
        name = self.write.fresh("p")
        with self.write.function(f"{name}(n, x)"):
            self.write("e = None")
            self._value(work, "n", '""')
            self.write("return e")
        return name

    def _object(self, work: Work) -> str | None:
        """Write the function of an object; None when there is nothing to do inside it."""
        if not work.children and not work.constraints:
            return None
        write = self.write
        name = write.fresh("q")
        with write.function(f"{name}(n, x)"):
            write("e = None")
            for child in work.children:
                self._child(child)
            if work.constraints:
                owner = replace(work.element, constraints=work.constraints)
                emit_constraints(write, owner, self.structure, node="n", type_code=work.code)
            write("return e")
        return name

    def _value(self, work: Work, variable: str, at: str) -> None:
        """Write the checks of one value; `at` is the expression of its path, evaluated only when something is wrong."""
        write, identity = self.write, self.write.constant(work.element.id)
        for value, test, report in (
            (work.fixed, "{v} != {c}", "not_fixed"),
            (work.pattern, "not like({v}, {c})", "not_like"),
        ):
            if value is not None:
                simple = report == "not_like" and not isinstance(value.json, (dict, list))
                wrong = ("{v} != {c}" if simple else test).format(v=variable, c=write.constant(value.json))
                with write.block(f"if {wrong}:"):
                    write(f"e = {report}(e, {identity}, {at}, {write.constant(shown(value.json))})")
        if work.binding is not None:
            emit_binding(
                write, work.binding, work.code, variable=variable, raise_up=f"up(e, r, {at})", scope=work.scope
            )
        if work.code in CHECKS:
            self._primitive(work, variable, at)
            return
        if work.least is not None or work.most is not None:
            write(f"e = in_range(e, {variable}, {at}, {self._limit(work.least)}, {self._limit(work.most)})")
        for call in self._calls(work, variable):
            write(f"r = {call}")
            with write.block("if r is not None:"):
                write(f"e = up(e, r, {at})")

    def _calls(self, work: Work, variable: str) -> Iterable[str]:
        write = self.write
        if work.resource_types is not None:
            yield f"of_type({variable}, {write.constant(work.resource_types)})"
        if work.targets is not None:
            yield f"refers({variable}, x, {write.constant(work.targets)})"
        if work.target_profiles:
            yield f"target_conforms({variable}, x, {write.constant(self._by_type(work.target_profiles))})"
        if work.profiles:
            yield f"conform({variable}, x, {write.constant(work.profiles)})"
        function = self._object(work)
        if function is not None:
            yield f"{function}({variable}, x) if type({variable}) is dict else None"

    def _by_type(self, keys: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Group target profiles by type; a type that may be referred to without a profile is left out."""
        found: dict[str, list[str]] = {}
        free: set[str] = set()
        for key in keys:
            definition = self.library.definition(key, scope=self.scope)
            if definition is not None:
                kind = short_type(str(definition.raw["type"]))
                if definition.raw.get("derivation") == "constraint":
                    found.setdefault(kind, []).append(key)
                else:
                    free.add(kind)
        return {kind: tuple(listed) for kind, listed in sorted(found.items()) if kind not in free}

    def _primitive(self, work: Work, variable: str, at: str) -> None:
        write = self.write
        if work.max_length is not None:
            with write.block(f"if type({variable}) is str and len({variable}) > {int(work.max_length)}:"):
                write(f"e = too_long(e, {at}, {int(work.max_length)})")
        if work.least is not None or work.most is not None:
            write(f"e = in_range(e, {variable}, {at}, {self._limit(work.least)}, {self._limit(work.most)})")
        if work.constraints:
            owner = replace(work.element, constraints=work.constraints)
            emit_constraints(
                write, owner, self.structure, node=variable, raise_up=f"up(e, r, {at})", type_code=work.code
            )

    def _limit(self, value: Value | None) -> str:
        return self.write.constant(value.json if value is not None else None)

    def _child(self, child: Child) -> None:
        if child.maximum == 0:
            self._forbidden(child)
        elif child.element.is_choice:
            self._choice(child)
        else:
            self.write(f'v = n.get("{safe_name(child.keys[0].key)}")')
            value_sets = None if self.remembering else memorable(child)
            if value_sets is None:
                self._single_or_list(child)
            else:
                self.remembering = True  # what is inside needs no memory of its own
                check = f"{self.structure.url}|{self.structure.version} {child.element.id} {self.write.fresh('m')}"
                with remembering(self.write, check, value_sets):
                    self._single_or_list(child)
                self.remembering = False

    def _single_or_list(self, child: Child) -> None:
        if child.repeats:
            self._list(child, child.keys[0])
        else:
            self._single(child, child.keys[0])

    def _forbidden(self, child: Child) -> None:
        write, identity = self.write, self.write.constant(child.element.id)
        for key in child.keys:
            with write.block(f'if "{safe_name(key.key)}" in n:'):
                write(f"e = forbidden(e, {identity}, {write.constant(key.step)})")

    def _choice(self, child: Child) -> None:
        write, identity = self.write, self.write.constant(child.element.id)
        if child.minimum:
            keys = tuple(name for key in child.keys for name in (key.key, f"_{key.key}"))
            with write.block(f"if not any_key(n, {write.constant(keys)}):"):
                write(f"e = lacks(e, {identity})")
        for name, needed in child.needed:
            with write.block(f"if not any_key(n, {write.constant(needed)}):"):
                whole = write.constant("")
                write(f"e = slice_lacks(e, {identity}, {write.constant(name)}, 1, {whole})")
        types = write.constant(tuple(key.code for key in child.keys if key.allowed))
        dropped = {safe_name(key.key): key.step for key in child.keys if not key.allowed}
        if dropped:
            with write.block(f"if not {write.constant(frozenset(dropped))}.isdisjoint(n):"):
                write(f"e = bad_types(e, n, {identity}, {write.constant(dropped)}, {types})")
        for key in child.keys:
            if key.works:
                write(f'v = n.get("{safe_name(key.key)}")')
                with write.block("if v is not None:"):
                    for work in key.works:
                        self._value(work, "v", write.constant(key.step))

    def _single(self, child: Child, key: Key) -> None:
        write, identity = self.write, self.write.constant(child.element.id)
        beside = f' and "_{key.key}" not in n' if key.code in CHECKS else ""
        if child.minimum:
            with write.block(f"if v is None{beside}:"):
                write(f"e = lacks(e, {identity})")
        if key.works:
            with write.block("if v is not None:"):
                for work in key.works:
                    self._value(work, "v", write.constant(key.step))

    def _list(self, child: Child, key: Key) -> None:
        write, identity = self.write, self.write.constant(child.element.id)
        step = write.constant(key.step)
        counters = _Counters(write)
        if child.pieces is not None:
            counters.start(child.pieces)
        with write.block("if type(v) is list:"):
            if child.maximum is not None:
                with write.block(f"if len(v) > {int(child.maximum)}:"):
                    write(f"e = excess(e, {identity}, {int(child.maximum)}, {step})")
            if child.minimum is not None and child.minimum > 1:
                with write.block(f"if len(v) < {int(child.minimum)}:"):
                    write(f"e = too_few(e, {identity}, {int(child.minimum)}, {step})")
            if key.works or child.pieces is not None:
                self._loop(child, key, counters)
        demanded = sum(one.minimum for one in child.pieces.listed) if child.pieces is not None else 0
        if child.minimum and child.minimum > demanded:  # else the missing slices say it
            beside = f' and "_{key.key}" not in n' if key.code in CHECKS else ""
            with write.block(f"elif v is None{beside}:"):
                write(f"e = lacks(e, {identity})")
        if child.pieces is not None:
            self._counts(child.pieces, counters, identity, step)

    def _loop(self, child: Child, key: Key, counters: _Counters) -> None:
        write = self.write
        at = f'f"{{{write.constant(key.step)}}}[{{i}}]"'
        write("i = -1")
        with write.block("for w in v:"):
            write("i += 1")
            guard = "if w is not None:" if key.code in CHECKS else "if type(w) is dict:"
            with write.block(guard):
                for work in key.works:
                    self._value(work, "w", at)
                if child.pieces is not None:
                    self._pieces(child.pieces, counters, write.constant(child.element.id), at)

    def _pieces(self, pieces: Pieces, counters: _Counters, identity: str, at: str) -> None:
        write = self.write
        names = write.constant(tuple(piece.name for piece in pieces.listed))
        word = "if"
        for number, piece in enumerate(pieces.listed):
            with write.block(f"{word} {self._condition(piece)}:"):
                if piece.counted:
                    write(f"{counters.of(piece)} += 1")
                if pieces.ordered:
                    with write.block(f"if {counters.last(pieces)} > {number}:"):
                        write(f'e = slice_fault(e, "slice-order", {identity}, {at}, {names})')
                    write(f"{counters.last(pieces)} = {number}")
                if pieces.rules == "openAtEnd":
                    with write.block(f"if {counters.after(pieces)}:"):
                        write(f'e = slice_fault(e, "slice-not-last", {identity}, {at}, {names})')
                if piece.work is not None:
                    self._value(piece.work, "w", at)
                if piece.pieces is not None:
                    self._pieces(piece.pieces, counters, identity, at)
            word = "elif"
        if pieces.rules == "closed":
            with write.block("else:"):
                write(f'e = slice_fault(e, "slice-closed", {identity}, {at}, {names})')
        elif pieces.rules == "openAtEnd":
            with write.block("else:"):
                write(f"{counters.after(pieces)} = True")

    def _counts(self, pieces: Pieces, counters: _Counters, identity: str, step: str) -> None:
        write = self.write
        for piece in pieces.listed:
            name = write.constant(piece.name)
            if piece.minimum:
                with write.block(f"if {counters.of(piece)} < {int(piece.minimum)}:"):
                    by = write.constant(" ".join(sorted({one.place for one in piece.tests})))
                    write(f"e = slice_lacks(e, {identity}, {name}, {int(piece.minimum)}, {by})")
            if piece.counted and piece.maximum < 1 << 30:
                with write.block(f"if {counters.of(piece)} > {int(piece.maximum)}:"):
                    write(f"e = slice_excess(e, {identity}, {name}, {int(piece.maximum)}, {step})")
            if piece.pieces is not None:
                self._counts(piece.pieces, counters, identity, step)

    def _condition(self, piece: Piece) -> str:
        tests = " and ".join(self._test(one) for one in piece.tests)
        for others in piece.unless:
            tests += " and not (" + " and ".join(self._test(one) for one in others) + ")"
        return tests

    def _test(self, test: Test) -> str:
        write, kind = self.write, test.kind
        inline = all(isinstance(step, str) for step in test.steps) and len(test.steps) < 2
        value = f'w.get("{safe_name(str(test.steps[0]))}")' if test.steps and inline else "w"
        # Once inline access is ruled out, an array is looked into wherever there is one.
        steps = write.constant(tuple(one[1] if one[0] == "many" else one for one in test.steps))
        if kind == "equal":
            wanted = write.constant(test.value)
            return f"{value} == {wanted}" if inline else f"any_equal(w, {steps}, {wanted}, x)"
        if kind == "like":
            wanted = write.constant(test.value)
            return f"like({value}, {wanted})" if inline else f"any_like(w, {steps}, {wanted}, x)"
        if kind == "member":
            sets = "".join(f"{write.link('expansion', one)}, " for one in test.value)
            return f"any_member(w, {steps}, ({sets}), x)"
        if kind == "exists":
            return f"any_value(w, {steps}, x)"
        if kind == "absent":
            return f"not any_value(w, {steps}, x)"
        if kind == "type":
            return f"any_type(w, {steps}, {write.constant(test.value)}, x)"
        found = (self.library.definition(url, scope=scope) for scope, url in test.value)
        keys = tuple(one.key for one in found if one is not None)
        return f"any_conforming(w, {steps}, {write.constant(keys)}, x)"


class _Counters:
    """The local variables that count slices."""

    def __init__(self, write: Writer) -> None:
        self._write = write
        self._names: dict[int, str] = {}

    def start(self, pieces: Pieces) -> None:
        """Write their first values."""
        if pieces.ordered:
            self._write(f"{self._name(pieces, 'l')} = -1")
        if pieces.rules == "openAtEnd":
            self._write(f"{self._name(pieces.rules, 'a')} = False")
        for piece in pieces.listed:
            if piece.counted:
                self._write(f"{self._name(piece, 's')} = 0")
            if piece.pieces is not None:
                self.start(piece.pieces)

    def of(self, piece: Piece) -> str:
        """Return the variable that counts a slice."""
        return self._name(piece, "s")

    def last(self, pieces: Pieces) -> str:
        """Return the variable with the number of the last slice seen."""
        return self._name(pieces, "l")

    def after(self, pieces: Pieces) -> str:
        """Return the variable that says that an item of no slice was seen."""
        return self._name(pieces.rules, "a")

    def _name(self, of: object, stem: str) -> str:
        if id(of) not in self._names:
            self._names[id(of)] = self._write.fresh(stem)
        return self._names[id(of)]


def shown(value: Any) -> str:  # noqa: ANN401 — any JSON value
    """Write a value of a definition for a message."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= EXPECTED_MAXIMUM else text[: EXPECTED_MAXIMUM - 1] + "…"
