"""Acts → the compacted topic of oppositions, read to its end at each look (DESIGN §7)."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable

from kafka import KafkaProducer
from kafka.errors import KafkaError

from fhir_profiles.errors import Unavailable
from streaming.kafka_consumer import KafkaLog
from streaming.kafka_publisher import PROMISES
from streaming.naming import Key
from streaming.opposition import NO_ACTS, Act, Acts, acts_of, entry_of, learnt_entry
from streaming.topics import OPPOSITION, KafkaConnection, away

ANSWER_S = 4.0  # an act that is not acknowledged by then is answered 503: it may be sent again
LOOK_S = 1.0
LOOK_WITHIN_S = 4.0  # requests wait for the look, and a stop of the process too


class KafkaRegister:
    """The register in the compacted topic, read to its end at a look, once a second at most."""

    def __init__(self, connection: KafkaConnection, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next_at = 0.0
        self._connection = connection
        self._gate = threading.Lock()
        self._entries: dict[str, bytes] = {}
        self._log = KafkaLog(connection, topic=OPPOSITION, answer_s=LOOK_WITHIN_S)
        self._position = self._log.origin - 1
        self._acts = NO_ACTS

    def acts(self) -> Acts:
        """See `Register`."""
        with self._gate:
            if self._clock() < self._next_at:
                return self._acts
            start = max(self._position, self._log.first_offset(0) - 1)
            for record in self._log.tail(0, start):
                self._position = record.offset
                self._entries[record.event.key] = record.event.value
            if self._position > start:
                self._acts = acts_of(self._entries.values(), number=self._position + 1)
            self._next_at = self._clock() + LOOK_S
            return self._acts

    def keep(self, act: Act) -> None:
        """See `Register`."""
        self._send(act.id, entry_of(act))

    def learn(self, act: str, keys: Iterable[Key]) -> None:
        """See `Register`."""
        self._send(f"{act}|{secrets.token_hex(8)}", learnt_entry(act, keys))

    def close(self) -> None:
        """See `Register`."""
        self._log.close()

    def _send(self, name: str, entry: bytes) -> None:
        try:
            producer = KafkaProducer(**self._connection.arguments(), **PROMISES)  # acts are rare
        except KafkaError as error:
            raise away(error) from None
        try:
            producer.send(OPPOSITION, key=name.encode(), value=entry).get(timeout=ANSWER_S)
        except KafkaError:
            producer._sender.force_close()  # noqa: SLF001 - close() waits for what never completes
            raise Unavailable("broker-away") from None
        producer.close()
        self._next_at = 0.0
