"""Real servers for the contracts of logs and stores."""

from tests.support.servers import broker, kafka, postgres, server

__all__ = ["broker", "kafka", "postgres", "server"]
