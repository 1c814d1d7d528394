"""Collects the lines of one generated module, its constants and its links to other functions.

Only names that `safe_name` has passed stand in the source; every other string goes through `constant`
(DESIGN §12). Promise: the same calls give the same module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

NAME_MAXIMUM = 96
NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


class UnsafeName(ValueError):  # noqa: N818 — says what is wrong
    """A definition holds an element or type name that is no FHIR name."""


def safe_name(name: str) -> str:
    """Return the name if it may stand in source: letters, digits and `_`, not starting with a digit."""
    if not 0 < len(name) <= NAME_MAXIMUM or not NAME_CHARACTERS.issuperset(name) or name[0].isdigit():
        raise UnsafeName("a definition holds a name that is not a FHIR name")
    return name


@dataclass(frozen=True, slots=True)
class Link:
    """What the loader binds to a global of the module: kind (type, profile, expansion) and its target."""

    kind: str
    target: str


@dataclass(slots=True)
class Writer:
    """A module in the making."""

    lines: list[str] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    not_checked: list[tuple[str, str]] = field(default_factory=list)
    rebound: set[str] = field(default_factory=set)
    _indent: int = 0
    _names: dict[str, str] = field(default_factory=dict)
    _counter: int = 0

    def __call__(self, line: str) -> None:
        """Add a line at the current indentation."""
        self.lines.append("    " * self._indent + line)

    @contextmanager
    def block(self, line: str) -> Iterator[None]:
        """Add a line and indent what follows."""
        self(line)
        self._indent += 1
        start = len(self.lines)
        try:
            yield
        finally:
            if len(self.lines) == start:
                self("pass")
            self._indent -= 1

    @contextmanager
    def function(self, signature: str) -> Iterator[None]:
        """Write a function at module level, whatever the current indentation, and put it before what is pending."""
        outer, indent = self.lines, self._indent
        self.lines, self._indent = [], 0
        try:
            with self.block(f"def {signature}:"):
                yield
        finally:
            body = self.lines
            self._pending.extend(body)
            self.lines, self._indent = outer, indent

    _pending: list[str] = field(default_factory=list)

    def fresh(self, stem: str) -> str:
        """Return a new global or local name."""
        self._counter += 1
        return f"{safe_name(stem)}_{self._counter}"

    def constant(self, value: Any) -> str:  # noqa: ANN401 — any constant that marshal can write
        """Return the global that holds the value."""
        key = repr(sorted(value)) if isinstance(value, frozenset) else f"{type(value).__name__}{value!r}"
        if key not in self._names:
            self._names[key] = f"c{len(self._names)}"
            self.constants[self._names[key]] = value
        return self._names[key]

    def link(self, kind: str, target: str) -> str:
        """Return the global that the loader binds to another function or an expansion."""
        key = f"link {kind} {target}"
        if key not in self._names:
            self._names[key] = f"{kind}_{len(self._names)}"
            self.links[self._names[key]] = Link(kind, target)
        return self._names[key]

    def source(self) -> str:
        """Return the module's text."""
        return "\n".join([*self._pending, *self.lines, ""])


@contextmanager
def remembering(write: Writer, check: str, value_sets: Sequence[str] = ()) -> Iterator[None]:
    """Write lines that test `v` so that they run once for the same bytes; `check` names what they ask, all of it.

    They must depend on `v` alone. `value_sets` are those that they look into: where one cannot be enumerated, the
    answer depends on what was said before, and nothing is remembered.
    """
    seen = write.link("seen", check)
    with write.block(f"if v is None or hash(m := dumps(v)) not in {seen}:"):
        yield
        known = "".join(f" and {write.link('expansion', one)}.enumerable" for one in dict.fromkeys(value_sets))
        with write.block(f"if e is None and v is not None{known}:"):
            write(f"remember({seen}, m)")


@contextmanager
def once_a_request(write: Writer, check: str) -> Iterator[None]:
    """Write lines that test a reference `v` so that they run once in a request; `check` names what they ask, all of it.

    What a fragment names differs from resource to resource, and what an extension means: such a value is asked anew.
    """
    named = check.encode()
    of_check = write.constant(crc32(named) << 32 | crc32(named[::-1]))  # keeps the hashes of two checks apart
    fragment, extension = write.constant(b'"#'), write.constant(b'"extension"')
    with write.block(f"if v is None or (h := hash(m := dumps(v)) + {of_check}) not in x.passed:"):
        yield
        with write.block(f"if e is None and v is not None and {fragment} not in m and {extension} not in m:"):
            write("x.passed.add(h)")
