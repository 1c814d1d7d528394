"""One served installation for all tests that only talk to it from outside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.installation import Installation


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A gateway that accepts test identities and checks the profiles that are declared."""
    installation = Installation(
        tmp_path_factory.mktemp("served") / "data", "--test-identities", "--french-profiles", "declared"
    )
    with installation.serving():
        yield installation
