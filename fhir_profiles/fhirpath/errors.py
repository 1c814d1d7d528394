"""What can go wrong with an expression: before it runs (`Untranslatable`), or on a value (`Unevaluable`).

Neither ever holds a posted value: reasons are fixed sentences about the expression.
"""

from __future__ import annotations


class Untranslatable(Exception):  # noqa: N818 — an outcome, as elsewhere in this project
    """The text is no FHIRPath, or uses what this translator has not. `reason` names the construct."""

    def __init__(self, reason: str, position: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position


class Unevaluable(Exception):  # noqa: N818
    """The expression has no meaning on this value (two items where one is needed, a wrong type)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unknown(Exception):  # noqa: N818
    """Whether a rule is kept cannot be told here: a code system, a profile, or a feature of patterns is missing."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
