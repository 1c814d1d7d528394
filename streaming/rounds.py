"""Marked persons → rows replaced in the tables, a round at a time (transaction 2 of the table writer).

Where state and tables are one database, a round is one transaction with its plan; else the order of the two makes
dying in between harmless. A person whose rows the store refuses is put in quarantine alone. Promise: P6.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from fhir_profiles.errors import Fault
from streaming import ownership
from streaming.conversion import Plan, Rules, plan
from streaming.sink import RefusedRows, Sink
from streaming.state import State

log = logging.getLogger(__name__)


class Tables(Protocol):
    """The part of a `Store` that rounds need."""

    @property
    def state(self) -> State:
        """Return the open state."""
        ...

    @property
    def sink(self) -> Sink:
        """Return the open tables."""
        ...

    def round(self) -> AbstractContextManager[None]:
        """Hold state and rows together for one round, where they are one database."""
        ...


class Rounds:
    """Writes marked persons until none is left. `blocked` says that other writers are at work on all of them."""

    def __init__(self, tables: Tables, rules: Rules, *, persons: int, at: Callable[[str], None]) -> None:
        self._tables = tables
        self._rules = rules
        self._most = persons
        self._persons = persons
        self._at = at
        self.blocked = False

    def write(self) -> bool:
        """Write one round; return whether there was anything to write."""
        self.blocked = False
        if not self._tables.state.is_dirty():
            return False
        planned: Plan | None = None
        try:
            with self._tables.round():
                planned = self._plan()
                if planned is None:
                    self.blocked = True
                    return False
                self._at("planned")
                self._replace(planned)
        except RefusedRows:
            assert planned is not None
            self._isolate(planned)
            return True
        self._at("settled")
        return True

    def begin(self) -> None:
        """Begin anew with full rounds; persons that were refused before are tried again when they change."""
        self._persons = self._most
        self._rules = replace(self._rules, refused=frozenset())

    def _plan(self) -> Plan | None:
        state = self._tables.state
        with state.transaction() as connection:
            dirty = state.dirty(self._persons)
            if not dirty:
                return None
            planned = plan(connection, dirty, rules=self._rules)
            state.mark_dirty(planned.displaced)
            return planned

    def _replace(self, planned: Plan) -> None:
        change, sink, state = planned.change, self._tables.sink, self._tables.state
        number = sink.apply(change) if change.rows or change.removed else sink.change_number()
        self._at("written")
        with state.transaction() as connection:
            ownership.settle(connection, planned.written, change.removed)
            connection.executemany("DELETE FROM dirty_year WHERE finess = ? AND year = ?", planned.years)
            state.mark_dirty(planned.displaced)
            if number:
                state.set_counter("rows_change", number)

    def _isolate(self, planned: Plan) -> None:
        """The store refused a row: go on person by person, and put the one whose rows it refuses in quarantine."""
        if len(planned.written) > 1 and self._persons > 1:
            self._persons = 1
            return
        if not planned.written:
            raise Fault("rows-refused")
        log.error("rows refused by the store")
        refused = {(one.person.finess, alias) for one in planned.written for alias in one.person.aliases}
        self._rules = replace(self._rules, refused=self._rules.refused | refused)
