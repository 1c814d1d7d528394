"""The test build whose scrubbing is off: the positive control of the canaries. Never part of the product.

What a sender wrote is laid over what the rules let through, and the leak scanner finds everything clean; the rest is
the real command line. A search that is worth something finds the canaries then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.cli.main import main
from transformers.deidentify import rules, scrub
from transformers.deidentify.leaks import Scanner
from transformers.deidentify.primitives import Action

compile_rules, leaving = rules.compile_rules, scrub.leaving


def laid_over(posted: Any, made: Any) -> Any:
    """Everything that was posted, with what was made beside it: a reference keeps its target's pseudonym too."""
    if isinstance(posted, dict) and isinstance(made, dict):
        return made | {name: laid_over(value, made.get(name)) for name, value in posted.items()}
    if isinstance(posted, list) and isinstance(made, list) and len(posted) == len(made):
        return [laid_over(one, other) for one, other in zip(posted, made, strict=True)]
    return posted


def everything_leaves(book: Any, elements: Any) -> Mapping[str, Action]:
    """Projections that project nothing."""
    made = compile_rules(book, elements)
    return {
        name: lambda posted, scene, real=real: laid_over(posted, real(posted, scene)) for name, real in made.items()
    }


def identifiers_leave(known: Any, resource: Any, scene: Any) -> list[Any]:
    """The identifiers of the product, followed by those that were posted."""
    return [*leaving(known, resource, scene), *resource.get("identifier", ())]


rules.compile_rules = everything_leaves  # type: ignore[attr-defined]
scrub.leaving = identifiers_leave  # type: ignore[attr-defined, assignment]
Scanner.is_clean = lambda _scanner, _encoded: True  # type: ignore[method-assign, misc]

if __name__ == "__main__":
    main()
