"""Acts of the register → carried out in an installation's state, tables, log and files, beside the table writer's work.

Each step may be repeated after a crash; an act is done once nothing of its person is left, or shown. Promise: P18.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streaming.accounts import ENFORCED
from streaming.batches import SUPPRESSED, Contracts
from streaming.erasure import count_hidden, due, finish, hidden_owners, interrupted, remove, speaks_of
from streaming.opposition import Act, Acts
from streaming.register import Register
from streaming.rounds import Rounds
from streaming.state import State
from streaming.store import Store

EraseLog = Callable[[Callable[[str, bytes], bool]], int]
"""Empty the events of the log for which a predicate of FINESS and value holds; return how many."""


def leave_log(named: Callable[[str, bytes], bool]) -> int:
    """Leave the log as it is: Kafka forgets after its retention, and the receipt says when."""
    del named
    return 0


class Enforcement:
    """What a table writer does for the register; the thread of the writer calls it."""

    def __init__(
        self,
        store: Store,
        register: Register | None,
        *,
        contracts: Contracts,
        rounds: Rounds,
        erase_log: EraseLog,
        at: Callable[[str], None],
    ) -> None:
        self._store = store
        self._register = register
        self._contracts = contracts
        self._rounds = rounds
        self._erase_log = erase_log
        self._at = at
        self._done: Acts | None = None
        self._suppressed: int | None = None

    @property
    def _state(self) -> State:
        return self._store.state

    def carry_out(self) -> bool:
        """Do what the register asks for and is not done yet. Raises Unavailable.

        Returns whether to look again at once: keys were learnt, or acts came meanwhile.
        """
        if self._register is None:
            return False
        acts = self._register.acts()
        suppressed = self._state.counter(SUPPRESSED)  # what the log should not have held: it goes too
        if acts is self._done and suppressed == self._suppressed:
            return False
        if pending := due(self._state.connection, acts):
            return self._take_away(self._register, pending)
        self._hide(acts)
        self._done, self._suppressed = acts, suppressed
        with self._state.transaction():
            self._state.set_counter(ENFORCED, acts.number)
        return False

    def hide_again(self) -> None:
        """After a round: persons may have new owners, whose rows are no more for readers than those of the old."""
        if self._done is not None and self._done.by_id:
            self._hide(self._done)

    def _take_away(self, register: Register, pending: Sequence[Act]) -> bool:
        """Let nothing be left of these persons, or nothing be shown; files are written anew once for all of them.

        They are not when there was nothing: of somebody who is kept out, every new stay is learnt and looked for.
        """
        state, sink, contracts = self._state, self._store.sink, self._contracts
        touched = interrupted(state.connection)
        removing = [act for act in pending if act.kind != "limitation"]
        for act in removing:
            touched |= remove(state, sink, act, register=register, contracts=contracts)
            self._at("removed")
        while removing and self._rounds.write():
            pass
        if removing and self._rounds.blocked:  # other writers are at work there: again at the next step
            return False
        with state.transaction():
            for act in pending:
                touched |= count_hidden(state, sink, act, contracts=contracts)
        acts = register.acts()  # with the keys that were learnt
        self._hide(acts)
        named = speaks_of([acts.by_id[act.id] for act in removing], register=register, contracts=contracts)
        if self._erase_log(named) or touched:
            self._store.purge()
        self._at("purged")
        with state.transaction():
            for act in pending:
                finish(state, acts.by_id[act.id])
        return True

    def _hide(self, acts: Acts) -> None:
        """Keep from readers what an act allows to be stored and not to be read."""
        if self._store.sink.hide(hidden_owners(self._state.connection, acts, self._contracts)):
            with self._state.transaction():
                self._state.set_counter("rows_change", self._store.sink.change_number())
