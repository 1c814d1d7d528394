"""Settings → the log that a worker publishes to."""

from __future__ import annotations

from gateway.settings import Settings
from streaming.broker import Publisher
from streaming.embedded_log import EmbeddedLog
from streaming.reading import LOG


def open_publisher(settings: Settings, *, node: str) -> Publisher:
    """Open the embedded log, or a producer to Kafka."""
    if settings.broker == "kafka":
        from gateway.connections import kafka_connection
        from streaming.kafka_publisher import KafkaPublisher

        return KafkaPublisher(kafka_connection(settings), node=node)
    return EmbeddedLog(settings.data_dir / LOG, max_bytes_in_flight=settings.max_bytes_in_flight)
