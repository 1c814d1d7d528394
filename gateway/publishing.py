"""Settings → the log that a worker publishes to, and the register of persons who objected."""

from __future__ import annotations

from gateway.settings import Settings
from streaming.broker import Publisher
from streaming.embedded_log import EmbeddedLog
from streaming.reading import LOG
from streaming.register import EmbeddedRegister, Register


def open_publisher(settings: Settings, *, node: str) -> Publisher:
    """Open the embedded log, or a producer to Kafka."""
    if settings.broker == "kafka":
        from gateway.connections import kafka_connection
        from streaming.kafka_publisher import KafkaPublisher

        return KafkaPublisher(kafka_connection(settings), node=node)
    return EmbeddedLog(settings.data_dir / LOG, max_bytes_in_flight=settings.max_bytes_in_flight)


def open_register(settings: Settings) -> Register:
    """Open the register of acts. Raises Unavailable while the broker is away: then nothing may be published."""
    if settings.broker == "kafka":
        from gateway.connections import kafka_connection
        from streaming.kafka_register import KafkaRegister

        return KafkaRegister(kafka_connection(settings))
    return EmbeddedRegister(settings.data_dir / LOG)
