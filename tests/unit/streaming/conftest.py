"""Time for the disk and the database of a busy machine: the product's own deadlines are tested where they are meant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streaming import postgres as product
from tests.support.servers import broker, kafka, postgres, server

__all__ = ["broker", "kafka", "postgres", "server"]  # here and not in each module: one of each for all of them
WITHIN_S = 300


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """A hospital is answered 503 after nine seconds and sends again; a test would fail."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streaming.embedded_log.DEADLINE_S", float(WITHIN_S))
        patch.setattr(product, "LET_GO_S", float(WITHIN_S))
        patch.setitem(product.PATIENCE, "connect_timeout", WITHIN_S)
        yield
