"""Published texts and definitions → a name that tells one from another.

Never of a posted value: a keyless digest of an identity is reversed in hours. Keyed hashes live in
`transformers.deidentify.pseudonyms`; no other module hashes (a test). Promise: P15.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def definitions_digest(parts: Iterable[bytes]) -> str:
    """Return 64 hexadecimal characters that name what is published or packaged: a text, code, an expression."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()


def text_version(text: str) -> str:
    """Return 12 characters that tell one published text (a rule file, a nomenclature) from another."""
    return definitions_digest([text.encode()])[:12]
