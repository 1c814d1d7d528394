"""Coded values that passed a check → the same content is not checked again. Bounded, forgotten whole when full.

Holds keyed hashes alone (64 bits of SipHash under the process's random key), never a value: nothing can be read back.
Remembered is only what broke no rule of a check that looks at the value and at nothing around it.
"""

from __future__ import annotations

MAXIMUM = 32_768
CONCEPTS = ("CodeableConcept", "Coding")
_EXTENSION = b'"extension"'  # what an extension means depends on the package that the resource names


class Memory:
    """What one engine remembers, a set a check."""

    def __init__(self) -> None:
        self._sets: dict[str, set[int]] = {}
        self._left = MAXIMUM

    def of(self, check: str) -> set[int]:
        """Return the set of a check, which generated code asks for the hash of a value's bytes."""
        return self._sets.setdefault(check, set())

    def keep(self, seen: set[int], content: bytes) -> None:
        """Remember that the bytes of a value passed the check of this set."""
        if _EXTENSION in content:
            return
        if not self._left:
            for one in self._sets.values():
                one.clear()
            self._left = MAXIMUM
        self._left -= 1
        seen.add(hash(content))
