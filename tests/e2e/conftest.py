"""Real servers for the tests of whole installations."""

from tests.support.servers import broker, postgres, server

__all__ = ["broker", "postgres", "server"]
