"""An element's FHIRPath constraints → the lines that evaluate them and record those that are broken.

Note to the compiler: `type_code` says which type of a choice element stands in `node`; generated modules need the
global `fp` (fhir_profiles.fhirpath.operations). Promise: no constraint ever raises, whatever the JSON.
"""

from __future__ import annotations

from fhir_profiles.compiler.corrections import OF_THE_TYPE, SKIPPED, corrected
from fhir_profiles.compiler.writer import Writer
from fhir_profiles.fhirpath.errors import Untranslatable
from fhir_profiles.fhirpath.translate import translate
from fhir_profiles.model import Constraint, Element, Structure

CONTAINERS = ("BackboneElement", "Element")


def emit_constraints(
    write: Writer,
    owner: Element,
    structure: Structure,
    *,
    node: str,
    raise_up: str | None = None,
    type_code: str | None = None,
) -> None:
    """Write the constraints of an element whose JSON is in the variable `node`."""
    focus = focus_of(owner, structure, type_code)
    for constraint in owner.constraints:
        if constraint.expression in SKIPPED or (raise_up and constraint.expression in OF_THE_TYPE):
            continue
        _constraint(write, constraint, focus, node=node, raise_up=raise_up)


def focus_of(owner: Element, structure: Structure, type_code: str | None = None) -> str:
    """Return the type path of an element: `Patient`, `Patient.contact`, `HumanName`."""
    if "." not in owner.path:
        return structure.type
    if owner.content_reference:
        return owner.content_reference.partition("#")[2]
    code = type_code or (owner.types[0].code if owner.types else "Element")
    return owner.path if code in CONTAINERS else code


def _constraint(write: Writer, constraint: Constraint, focus: str, *, node: str, raise_up: str | None) -> None:
    name = write.fresh("rule")
    try:
        source = translate(corrected(constraint.expression), focus=focus, constant=write.constant)
    except Untranslatable as error:
        write.not_checked.append((constraint.key, error.reason))
        return
    with write.function(f"{name}(n, x)"):
        write(f"return {source}")
    key = write.constant(constraint.key)
    severity = write.constant("information" if constraint.best_practice else constraint.severity)
    with write.block(f"if not fp.kept({name}, {node}, x, {key}):"):
        report = f"invariant({{found}}, {key}, {severity}, {write.constant(constraint.expression)})"
        if raise_up is None:
            write(f"e = {report.format(found='e')}")
        else:
            write(f"r = {report.format(found='None')}")
            write(f"e = {raise_up}")
