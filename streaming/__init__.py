"""Events of de-identified bundles → tables: logs, state, stores, the writer; `read_events` for other consumers."""

from streaming.received import ReceivedEvent, read_events

__all__ = ["ReceivedEvent", "read_events"]
