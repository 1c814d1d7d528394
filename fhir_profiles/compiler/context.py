"""What generated code may ask about the surroundings of the element that it checks.

One context a resource of a request; it holds references to posted values and is dropped with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from fhir_profiles.compiler.extension_places import Places
    from fhir_profiles.compiler.findings import Findings

Resolver = Callable[[str], "dict[str, Any] | None"]
MemberOf = Callable[[Any, str], "bool | None"]
Surroundings = tuple[str, frozenset[str], MemberOf]
Check = Callable[[Any, "CheckContext"], "Findings | None"]


@dataclass(frozen=True, slots=True)
class KnownExtension:
    """An extension that a loaded package defines: its check and where it may stand (None: anywhere, without rules)."""

    key: str
    check: Check
    places: Places | None = None
    modifier: bool = False


class Checks(Protocol):
    """The compiled functions, found by name."""

    def type_check(self, name: str) -> Check | None:
        """Return the check of an R4 type; None when there is no such type."""
        ...

    def profile_check(self, key: str) -> Check:
        """Return what a loaded profile adds to its type."""
        ...

    def extension(self, url: str, scope: str) -> KnownExtension | None:
        """Return an extension as a package (or "": nobody in particular) knows it."""
        ...

    def resolve(self, canonical: str) -> str | None:
        """Return the key of a loaded StructureDefinition."""
        ...

    def type_of(self, key: str) -> str:
        """Return the type that a loaded profile constrains."""
        ...


class NoChecks:
    """Knows no type, profile or extension: for expressions that are evaluated by themselves."""

    def type_check(self, _name: str) -> Check | None:
        """Know no type."""
        return None

    def profile_check(self, _key: str) -> Check:
        """Find nothing wrong."""
        return lambda _value, _context: None

    def extension(self, _url: str, _scope: str) -> KnownExtension | None:
        """Know no extension."""
        return None

    def resolve(self, _canonical: str) -> str | None:
        """Know no profile."""
        return None

    def type_of(self, _key: str) -> str:
        """Know no type."""
        return "Resource"


def nothing_resolves(_reference: str) -> dict[str, Any] | None:
    """Resolve no reference: a resource that came alone."""
    return None


def nothing_known(_code: Any, _value_set: str) -> bool | None:  # noqa: ANN401 — a code, Coding or CodeableConcept
    """Know no value set."""
    return None


@dataclass(slots=True)
class Shared:
    """What the checks of one request share: what could not be checked, which resources conform to which profile,
    and which the request checks against which anyway (by `id()` of the resource and key)."""

    unchecked: set[str] = field(default_factory=set)
    judged: dict[tuple[int, str], bool] = field(default_factory=dict)
    planned: dict[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class CheckContext:
    """The surroundings: `resource` (%resource), `root` (%rootResource), the references of the request.

    `resolve` gets the text of a reference (relative, absolute, urn:uuid; never `#…`) and returns the resource
    that the same request carries, or None. With `skip_entries` a Bundle's `entry.resource` is not checked (the
    caller checks each entry itself). `unchecked` collects what could not be checked, once a request. `scope` is the
    package whose extensions are meant by a bare url. `judged` remembers which resources conform to which profile,
    `planned` says which the request checks against which. `rebound` are the elements whose extensible binding a
    profile of the resource replaces by its own. `kept` is what was found once for a whole resource, by its `id()`;
    `passed` are hashes of references that are all right, and of the check that says so.
    """

    resource: dict[str, Any]
    root: dict[str, Any]
    resolve: Resolver = nothing_resolves
    member_of: MemberOf = nothing_known
    skip_entries: bool = False
    unchecked: set[str] = field(default_factory=set)
    depth: int = 0
    checks: Checks = field(default_factory=NoChecks)
    scope: str = ""
    judged: dict[tuple[int, str], bool] = field(default_factory=dict)
    planned: dict[int, tuple[str, ...]] = field(default_factory=dict)
    rebound: frozenset[str] = frozenset()
    kept: dict[tuple[object, ...], Any] = field(default_factory=dict)
    passed: set[int] = field(default_factory=set)

    def turn_to(self, resource: dict[str, Any], resolve: Resolver, surroundings: Surroundings) -> None:
        """Go on to the next resource of the request."""
        self.resource = self.root = resource
        self.resolve = resolve
        self.scope, self.rebound, self.member_of = surroundings

    def target(self, reference: str, entry: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """Return the resource that a reference names: contained in `root` (or in `entry`), or of the same request."""
        if not reference.startswith("#"):
            return self.resolve(reference)
        root = self.root if entry is None else entry
        if reference == "#":
            return root
        key = ("contained", id(root))
        by_id: dict[str, dict[str, Any]] | None = self.kept.get(key)
        if by_id is None:
            listed = root.get("contained")
            resources = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
            by_id = {one["id"]: one for one in reversed(resources) if isinstance(one.get("id"), str)}
            self.kept[key] = by_id
        return by_id.get(reference[1:])
