"""The version guard: which of all versions of one resource ever received is the current one (DESIGN §6).

Pure. The answer depends on the set of versions and deletions alone, never on the order in which they came, so
any order, split, duplication or replay of the events gives the same state. Promise: P5.
"""

from __future__ import annotations

from typing import NamedTuple

Rank = tuple[bool, int, int, int, str]


class Version(NamedTuple):
    """One received version. Times are nanoseconds; `body` is None for one that a DELETE removed.

    `stamped` says that `stamp` is a usable `meta.lastUpdated`; else it is `Bundle.timestamp`, else `ce_time`.
    """

    stamped: bool
    stamp: int
    version_id: int
    received: int
    event_id: str
    entry: int
    body: bytes
    person: str | None = None
    stay: str | None = None

    @property
    def rank(self) -> Rank:
        """Return what orders versions: the newer one has the greater rank."""
        return (self.stamped, self.stamp, self.version_id, self.received, self.event_id)

    def __repr__(self) -> str:
        return f"Version({len(self.body)} bytes)"


class History(NamedTuple):
    """What has to be known of a resource's past to judge any further version or deletion, in any order.

    `top` is the highest `lastUpdated` ever received and `top_first` the first receipt of a version stamped so.
    `spares` are losers that a deletion arriving late could bring back.
    """

    current: Version | None = None
    top: int | None = None
    top_first: int | None = None
    deleted_at: int | None = None
    spares: tuple[Version, ...] = ()


NOTHING = History()


def receive(history: History, version: Version) -> History:
    """Return the history with one more version."""
    if history is NOTHING:  # by far the most frequent case
        stamped = version.stamped
        return History(version, version.stamp if stamped else None, version.received if stamped else None)
    top, top_first = history.top, history.top_first
    if version.stamped:
        if top is None or version.stamp > top:
            top, top_first = version.stamp, version.received
        elif version.stamp == top:
            top_first = min(version.received, top_first if top_first is not None else version.received)
    return _settle(history._replace(top=top, top_first=top_first), version)


def delete(history: History, deleted_at: int) -> History:
    """Return the history after a DELETE received at `deleted_at`: every version received before it is gone."""
    return _settle(history._replace(deleted_at=max(deleted_at, history.deleted_at or 0)), None)


def _settle(history: History, arrived: Version | None) -> History:
    candidates = [*history.spares]
    if history.current is not None:
        candidates.append(history.current)
    if arrived is not None:
        candidates.append(arrived)
    alive = sorted((one for one in candidates if _lives(one, history)), key=lambda one: one.rank, reverse=True)
    if not alive:
        return history._replace(current=None, spares=())
    return history._replace(current=alive[0], spares=tuple(_spares(alive)))


def _lives(version: Version, history: History) -> bool:
    """A deletion kills what was received before it, and what is stamped no newer than something it removed.

    Of stamped versions only the highest stamp counts: if one version stamped so was removed, every stamped one is
    "not newer than the removed one"; if none was, a lower stamp lost to it anyway.
    """
    if history.deleted_at is None:
        return True
    if version.stamped:
        return history.top_first is not None and history.top_first > history.deleted_at
    return version.received > history.deleted_at


def _spares(alive: list[Version]) -> list[Version]:
    """Keep a losing unstamped version only if it was received after every better unstamped one.

    A deletion that removes the better ones would then leave it. A losing stamped version never comes back.
    """
    kept: list[Version] = []
    latest = -1
    for version in alive:
        if version.stamped:
            continue
        if version.received > latest:
            latest = version.received
            if version is not alive[0]:
                kept.append(version)
    return kept
