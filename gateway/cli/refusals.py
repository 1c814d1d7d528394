"""What a command refuses, in plain words: a file that cannot be used, a hospital that nobody knows here."""

from __future__ import annotations

from pathlib import Path

from fhir_profiles.errors import Misconfigured, PipelineError
from gateway.access import Access


class InputRefusedError(PipelineError):
    """What was given cannot be used; `detail` says why and never shows a content. Ends with 1."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.detail = detail


def check_hospital(data_dir: Path, finess: str) -> None:
    """Raise Misconfigured for a FINESS that has no contract in this installation."""
    if Access(data_dir).contract(finess) is None:
        raise Misconfigured("contract-missing", f"{finess} has no contract here: see snds-gateway hospital list")
