"""The rules of the product, read, checked against the definitions and compiled: what `scrub` works with.

Refuses to start (Misconfigured) for an unknown action, a rule that matches nothing, an element without a rule.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from fhir_profiles.digests import text_version
from transformers.deidentify.codings import CodeBook
from transformers.deidentify.elements import Elements, packaged_elements
from transformers.deidentify.harmless import Harmless
from transformers.deidentify.leaks import public_strings
from transformers.deidentify.primitives import Action
from transformers.deidentify.projection import compile_rules
from transformers.deidentify.rule_checks import check
from transformers.deidentify.rulebook import RuleBook, packaged_text, read_book


@dataclass(frozen=True, slots=True)
class Rules:
    """Compiled rules. `version` tells one set from another in the headers of events."""

    version: str
    book: RuleBook
    elements: Elements
    projections: Mapping[str, Action]
    types: frozenset[str]
    public: frozenset[bytes]
    harmless: Harmless = field(default_factory=Harmless)
    _code_books: dict[tuple[str, ...], CodeBook] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __repr__(self) -> str:
        return f"Rules({self.version})"

    def codes(self, agreed: tuple[str, ...]) -> CodeBook:
        """Return the code systems of the rules and of a contract."""
        found = self._code_books.get(agreed)
        if found is None:
            with self._lock:
                found = self._code_books.setdefault(agreed, CodeBook(self.book.systems, self.elements, agreed))
        return found


@cache
def load_rules() -> Rules:
    """Read `rules.toml`. Raises Misconfigured."""
    return rules_of(packaged_text())


def rules_of(text: str) -> Rules:
    """Check and compile a rule file. Raises Misconfigured."""
    book, elements = read_book(text), packaged_elements()
    check(book, elements)
    projections = compile_rules(book, elements)
    return Rules(
        version=text_version(text),
        book=book,
        elements=elements,
        projections=projections,
        types=frozenset(projections),
        public=public_strings(book, elements),
    )
