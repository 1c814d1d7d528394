"""Fixtures that every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
SHARED = PROJECT.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The definitions and official examples beside the project."""
    if not SHARED.is_dir():
        pytest.skip("../shared (definitions and official examples) is not beside the project")
    return SHARED
