"""What generated code may ask about the surroundings of the element that it checks.

One context a resource of a request; it holds references to posted values and is dropped with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Resolver = Callable[[str], "dict[str, Any] | None"]
MemberOf = Callable[[Any, str], "bool | None"]


def nothing_resolves(_reference: str) -> dict[str, Any] | None:
    """Resolve no reference: a resource that came alone."""
    return None


def nothing_known(_code: Any, _value_set: str) -> bool | None:  # noqa: ANN401 — a code, Coding or CodeableConcept
    """Know no value set."""
    return None


@dataclass(slots=True)
class CheckContext:
    """The surroundings: `resource` (%resource), `root` (%rootResource), the references of the request.

    `resolve` gets the text of a reference (relative, absolute, urn:uuid; never `#…`) and returns the resource
    that the same request carries, or None. With `skip_entries` a Bundle's `entry.resource` is not checked (the
    caller checks each entry itself). `unchecked` collects what could not be checked, once a request.
    """

    resource: dict[str, Any]
    root: dict[str, Any]
    resolve: Resolver = nothing_resolves
    member_of: MemberOf = nothing_known
    skip_entries: bool = False
    unchecked: set[str] = field(default_factory=set)
    depth: int = 0
