"""Evaluate a FHIRPath expression on a resource, compiled as constraints are: where an extension may stand, and tests.

Raises Untranslatable for what is no expression, Unevaluable and Unknown for what has no answer on this resource.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from fhir_profiles.compiler.context import CheckContext
from fhir_profiles.fhirpath import operations
from fhir_profiles.fhirpath.nodes import Collection
from fhir_profiles.fhirpath.translate import translate


def evaluate(expression: str, resource: dict[str, Any], *, context: CheckContext | None = None) -> Collection:
    """Return the collection that an expression gives: nodes and FHIRPath values.

    `context` gives references, value sets and profiles.
    """
    function = compiled(expression, str(resource["resourceType"]))
    found: Collection = function(resource, context or CheckContext(resource, resource))
    return found


@lru_cache(maxsize=4096)
def compiled(expression: str, focus: str, *, of_extension: bool = False) -> Any:  # noqa: ANN401 — a generated function
    """Return the Python function of an expression on a type: of the JSON, the context and, of a primitive, its `_`.

    With `of_extension` it may name %extension.
    """
    constants: dict[str, Any] = {}
    names: dict[tuple[type, Any], str] = {}

    def constant(value: Any) -> str:  # noqa: ANN401 — any literal
        name = names.setdefault((type(value), value), f"c{len(names)}")
        constants[name] = value
        return name

    source = translate(expression, focus=focus, constant=constant, beside="b", of_extension=of_extension)
    namespace: dict[str, Any] = {"fp": operations, **constants}
    exec(compile(f"def f(n, x, b=None):\n    return {source}\n", "<fhirpath>", "exec"), namespace)  # noqa: S102 — ours
    return namespace["f"]
