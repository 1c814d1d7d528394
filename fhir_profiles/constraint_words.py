"""Key and expression of an invariant → what it asks for, in French and English, in our own words.

The definitions give rules as FHIRPath, with an English description that is not ours to copy. `constraints.toml` has a
sentence for every rule of the packaged definitions; a rule of an added package is told by its expression.
"""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal


def constraint_words(key: str, expression: str, language: Literal["fr", "en"]) -> str | None:
    """Return the sentence of a rule, None for one that the product does not know: same key, other expression."""
    found = _sentences().get((key, f"{zlib.crc32(expression.encode()):08x}"))
    return None if found is None else found[language]


@cache
def _sentences() -> Mapping[tuple[str, str], Mapping[str, str]]:
    raw = tomllib.loads((files("fhir_profiles") / "constraints.toml").read_text(encoding="utf-8"))
    return {(key, digest): rule for rule in raw["rule"] for key in rule["keys"] for digest in rule["of"]}
