"""Definitions of extensions → where they may stand and under which rules, as plain facts that a cache can keep.

Contexts by element, FHIRPath and extension; contextInvariant (R4 defining-extensions §2.4.0.2). What cannot be checked
is listed with its reason, and then stops nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fhir_profiles.compiler.corrections import corrected
from fhir_profiles.compiler.defects import defects_of
from fhir_profiles.compiler.extension_places import Places
from fhir_profiles.compiler.library import Library
from fhir_profiles.fhirpath.errors import Untranslatable
from fhir_profiles.fhirpath.evaluation import compiled
from fhir_profiles.model import CORE, path_of, unversioned

ANYWHERE = frozenset(("*", "Element", "CanonicalResource", "MetadataResource"))
PATH = re.compile(r"[A-Z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*(\[x\])?)*")
ELEMENT = re.compile(r"[A-Za-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*(\[x\])?)*")
OF_A_PROFILE = "an element of a profile: only its path is asked"
NO_PATH = "a context that names no element"

Unread = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ExtensionFacts:
    """What is known of an extension without its code: where it may stand (see `Places`).

    `unread` are contexts and rules that are not checked as published, with the reason: that is told.
    """

    key: str
    modifier: bool
    paths: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    selected: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    anywhere: bool = False
    unread: tuple[Unread, ...] = ()

    def places(self) -> Places | None:
        """Return where it may stand; None when nothing is asked."""
        if self.anywhere and not self.rules:
            return None
        return Places(frozenset(self.paths), self.within, self.selected, self.rules, self.anywhere)


def facts_of(library: Library, url: str, scope: str) -> ExtensionFacts:
    """Read an extension as a package means it. Raises KeyError when there is none."""
    definition = library.definition(url, scope=scope)
    if definition is None:
        raise KeyError(url)
    raw = definition.raw
    view = raw.get("snapshot") or raw.get("differential") or {}
    elements = view.get("element", ())
    modifier = bool(elements and elements[0].get("isModifier"))
    dropped = defects_of(definition.url, definition.key.partition("|")[2]).ignores("context")
    contexts = [] if dropped else [(str(one["type"]), str(one["expression"])) for one in raw.get("context", ())]
    paths, within, selected, unread, anywhere = _contexts(contexts)
    invariants = [corrected(str(one)) for one in raw.get("contextInvariant", ())]
    rules, unread_rules = _readable(invariants, "contextInvariant")
    anywhere = anywhere or not contexts or not ANYWHERE.isdisjoint(paths)
    return ExtensionFacts(definition.key, modifier, paths, within, selected, rules, anywhere, (*unread, *unread_rules))


def _contexts(
    listed: list[tuple[str, str]],
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[Unread, ...], bool]:
    """Return element paths, urls of extensions, FHIRPaths, what is not checked, and whether that opens every place."""
    paths: list[str] = []
    unread: list[Unread] = []
    for kind, expression in listed:
        if kind == "extension" or (kind == "fhirpath" and not PATH.fullmatch(expression)):
            continue
        path = path_of(expression.rpartition("#")[2].removeprefix(CORE))
        paths.append(path)
        if kind not in ("element", "fhirpath") or not (ELEMENT.fullmatch(path) or path == "*"):
            unread.append((f"context {expression}", NO_PATH))
        elif path != expression.removeprefix(CORE):
            unread.append((f"context {expression}", OF_A_PROFILE))
    longer = [one for kind, one in listed if kind == "fhirpath" and not PATH.fullmatch(one)]
    selected, unreadable = _readable(longer, "context")
    within = tuple(sorted(unversioned(one) for kind, one in listed if kind == "extension"))
    opens = bool(unreadable) or any(reason == NO_PATH for _, reason in unread)
    return tuple(sorted(paths)), within, selected, (*unread, *unreadable), opens


def _readable(expressions: list[str], what: str) -> tuple[tuple[str, ...], tuple[Unread, ...]]:
    """Tell the expressions that can be evaluated from the others, which get the reason."""
    kept: list[str] = []
    unread: list[Unread] = []
    for one in sorted(expressions):
        try:
            compiled(one, "Resource", of_extension=what == "contextInvariant")
        except Untranslatable as error:
            unread.append((f"{what} {one}", error.reason))
        else:
            kept.append(one)
    return tuple(kept), tuple(unread)
