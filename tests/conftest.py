"""Fixtures that every test may ask for, and one environment for all: nobody's terminal, proxy or luck decides."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

PROJECT = Path(__file__).resolve().parents[1]
SHARED = PROJECT.parent / "shared"
# How wide and how coloured a terminal is, and by which proxy the machine reaches the world: before anything reads it.
NOT_OURS = (
    "CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "GITHUB_ACTIONS", "LINES", "NO_COLOR", "PY_COLORS",
    "TTY_COMPATIBLE", "TTY_INTERACTIVE",
)  # fmt: skip
for name in NOT_OURS:
    os.environ.pop(name, None)
for name in ("NO_PROXY", "no_proxy"):
    os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1", "localhost")))
# The same examples in every run, however slow the machine: what was green here is green elsewhere.
# `--hypothesis-profile explore` looks for others.
settings.register_profile("repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The definitions and official examples beside the project."""
    if not SHARED.is_dir():
        pytest.skip("../shared (definitions and official examples) is not beside the project")
    return SHARED
