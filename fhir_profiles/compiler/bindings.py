"""A binding → the lines that check a code, Coding, CodeableConcept or Quantity against it.

Required, and `maxValueSet`, give errors; extensible a warning; preferred and example nothing (DESIGN §12).
"""

from __future__ import annotations

from fhir_profiles.compiler.library import BASE
from fhir_profiles.compiler.writer import Writer
from fhir_profiles.model import Binding, unversioned

CODES = ("code", "string", "uri", "id", "url", "canonical", "markdown")
CONCEPTS = {"Coding": "bound_coding", "CodeableConcept": "bound_concept", "Quantity": "bound_quantity"}
SEVERITIES = {"required": "error", "extensible": "warning"}


def checks_of(binding: Binding) -> tuple[tuple[str, str], ...]:
    """Return the value sets to check and the severity of each."""
    found = []
    if binding.strength in SEVERITIES and binding.value_set:
        found.append((binding.value_set, SEVERITIES[binding.strength]))
    if binding.maximum and binding.maximum != binding.value_set:
        found.append((binding.maximum, "error"))
    return tuple(found)


def emit_binding(
    write: Writer, binding: Binding, type_code: str, *, variable: str, raise_up: str, scope: str = BASE
) -> None:
    """Write the check of one value; `scope` is the package that says which version of the value set is meant."""
    for value_set, severity in checks_of(binding):
        expansion = write.link("expansion", f"{scope} {value_set}")
        if type_code in CODES:
            with write.block(f"if type({variable}) is str and {variable} not in {expansion}.codes:"):
                write(f"r = bound_code({variable}, x, {expansion}, {write.constant(severity)})")
                with write.block("if r is not None:"):
                    write(f"e = {raise_up}")
        elif type_code in CONCEPTS:
            write(f"r = {CONCEPTS[type_code]}({variable}, x, {expansion}, {write.constant(severity)})")
            with write.block("if r is not None:"):
                write(f"e = {raise_up}")


def same_binding(one: Binding | None, other: Binding | None) -> bool:
    """Say whether two bindings ask the same, whatever versions their canonicals pin."""
    if one is None or other is None:
        return one is other

    def facts(binding: Binding) -> list[tuple[str, str]]:
        return [(unversioned(value_set), severity) for value_set, severity in checks_of(binding)]

    return facts(one) == facts(other)
