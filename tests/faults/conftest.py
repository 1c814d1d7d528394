"""Real servers for the faults."""

from tests.support.servers import broker, kafka, postgres, server

__all__ = ["broker", "kafka", "postgres", "server"]
