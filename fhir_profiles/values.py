"""The three values left of the wall: RawBundle → ParsedBundle → ValidBundle.

They hold identities: frozen, unpicklable, and their `repr` shows counts and sizes only (Promise: P13).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from fhir_profiles.issues import Issue

BUNDLE_KINDS = ("transaction", "collection", "message", "document", "batch")


class _Identifying:
    """Refuses every road by which a value could leave the process."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._size()})"

    def __str__(self) -> str:
        return self.__repr__()

    def __format__(self, format_spec: str) -> str:
        return self.__repr__()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds identities and is never pickled")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self.__reduce__()

    def _size(self) -> str:
        return ""


@dataclass(frozen=True, slots=True, repr=False)
class RawBundle(_Identifying):
    """The bytes as received, after decompression."""

    content: bytes

    def _size(self) -> str:
        return f"{len(self.content)} bytes"


@dataclass(slots=True, repr=False)  # not frozen, though nothing changes one: frozen it takes 9 times as long to make
class Entry(_Identifying):
    """One entry of a bundle, or the only resource of a request.

    `path` is the FHIRPath of its resource (`Bundle.entry[3].resource`; `Patient` for a request of one).
    `method` is PUT, POST, DELETE, or "" where the bundle has no requests. `id` is the RESTful id by DESIGN §4:
    that of the PUT url, else of a RESTful fullUrl, else `resource.id` outside a POST entry. `conditional` is the
    query of a conditional url (`Patient?identifier=…`). `resource` is None for a DELETE.
    """

    index: int
    path: str
    type: str
    method: str = ""
    id: str | None = None
    full_url: str | None = None
    conditional: str | None = None
    resource: dict[str, Any] | None = None

    def _size(self) -> str:
        return f"index={self.index}, type={self.type}"


@dataclass(frozen=True, slots=True, repr=False)
class ParsedBundle(_Identifying):
    """What `parse` gives: plain dicts, limits kept, no duplicate key, nothing checked against FHIR yet.

    `kind` is a Bundle.type of BUNDLE_KINDS, or "single" for a request of one resource. `identity` is
    `Bundle.identifier` (system|value), else `Bundle.id`, else None. `canonical` are the sorted-key bytes of the
    parsed JSON, for the receipt. `root` is the parsed JSON itself (the Bundle, or the one resource).
    """

    kind: str
    entries: tuple[Entry, ...]
    root: dict[str, Any]
    size_bytes: int
    canonical: bytes
    timestamp: str | None = None
    identity: str | None = None

    @property
    def all_or_nothing(self) -> bool:
        """Say whether one refused entry refuses the whole bundle (every kind but `batch`)."""
        return self.kind != "batch"

    def _size(self) -> str:
        return f"kind={self.kind}, entries={len(self.entries)}, {self.size_bytes} bytes"


@dataclass(frozen=True, slots=True, repr=False)
class ValidBundle(_Identifying):
    """A parsed bundle of which `accepted` entries (indices, in order) broke no rule. Made by `validate` alone."""

    parsed: ParsedBundle
    accepted: tuple[int, ...]

    def _size(self) -> str:
        return f"accepted={len(self.accepted)} of {len(self.parsed.entries)}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of `validate`: every issue in document order, and what may go on.

    `bundle_issues` concern the bundle itself, `entry_issues[i]` entry i. `valid` is None when nothing may go on:
    any error in an all-or-nothing bundle, an error of the bundle itself, or no entry left in a batch.
    """

    bundle_issues: tuple[Issue, ...] = ()
    entry_issues: Mapping[int, tuple[Issue, ...]] = field(default_factory=dict)
    valid: ValidBundle | None = None

    @property
    def issues(self) -> tuple[Issue, ...]:
        """Return all issues, the bundle's first, then entry by entry."""
        return self.bundle_issues + tuple(
            one for index in sorted(self.entry_issues) for one in self.entry_issues[index]
        )
