"""Modifier extensions: they change what a resource means, none is known here, so nothing of such a resource leaves."""

from __future__ import annotations

MODIFIER = "modifierExtension"
MODIFIER_BYTES = b'"modifierExtension"'
RARE_BYTES = b"modif"  # found, or not, twice as fast as the whole name


def may_have_modifier(canonical: bytes) -> bool:
    """Say whether the name stands in the canonical bytes of a bundle: the cheap look before the walk."""
    return RARE_BYTES in canonical and MODIFIER_BYTES in canonical


def has_modifier(node: object) -> bool:
    """Say whether a modifier extension stands anywhere: what it changes cannot be known, so nothing may be used."""
    if isinstance(node, dict):
        return MODIFIER in node or any(has_modifier(value) for value in node.values())
    return isinstance(node, list) and any(has_modifier(value) for value in node)
