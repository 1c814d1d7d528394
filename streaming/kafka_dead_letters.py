"""Dead letters → their topic, acknowledged before any offset moves past them (promise P10).

The value is the de-identified event as it was; headers add the code, the stage and the place in the log.
"""

from __future__ import annotations

from collections.abc import Sequence

from kafka import KafkaProducer
from kafka.errors import KafkaError

from streaming.dead_letter import DeadLetter
from streaming.kafka_publisher import PROMISES
from streaming.topics import DEAD_LETTER, KafkaConnection, away

ANSWER_S = 10.0


class KafkaDeadLetters:
    """One producer, made when the first dead letter comes and anew after a failure."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        self._producer: KafkaProducer | None = None

    def __call__(self, letters: Sequence[DeadLetter]) -> None:
        """See `dead_letter.Announce`."""
        try:
            if self._producer is None:
                self._producer = KafkaProducer(**self._connection.arguments(), **PROMISES)
            sent = [
                self._producer.send(
                    DEAD_LETTER,
                    key=letter.record.event.key.encode(),
                    value=letter.record.event.value,
                    headers=[(name, value.encode()) for name, value in _headers(letter).items()],
                )
                for letter in letters
            ]
            for one in sent:
                one.get(timeout=ANSWER_S)
        except KafkaError as error:
            self.close()
            raise away(error) from None

    def close(self) -> None:
        """Let go of the producer; what was announced is acknowledged."""
        if self._producer is not None:
            try:
                self._producer.close(timeout=0)
            except KafkaError:
                self._producer._sender.force_close()  # noqa: SLF001 - the only way out of a stuck one
            self._producer = None


def _headers(letter: DeadLetter) -> dict[str, str]:
    record = letter.record
    place = {"source-partition": str(record.partition), "source-offset": str(record.offset)}
    return {**record.event.headers, "dead-letter-code": letter.code, "dead-letter-stage": letter.stage, **place}
