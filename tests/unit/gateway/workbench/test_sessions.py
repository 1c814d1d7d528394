"""A session of the workbench ends when nothing is done, when it is left, and when its key is withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.access import Access
from gateway.workbench.guard import COOKIE, Guard
from gateway.workbench.sessions import IDLE_S, Sessions
from tests.support.installation import Installation

DONE = '42["event",{"id":4}]'
HEARTBEAT = "3"


class Clock:
    """Time that passes when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("sessions") / "data")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(home: Installation, clock: Clock) -> Sessions:
    return Sessions(Access(home.data_dir), clock)


def opened(sessions: Sessions, home: Installation) -> str:
    token = sessions.open(home.key(), "fr")
    assert token is not None
    return token


def test_a_session_ends_after_fifteen_minutes_in_which_nothing_was_done(
    sessions: Sessions, home: Installation, clock: Clock
) -> None:
    token = opened(sessions, home)
    clock.now += IDLE_S - 1
    assert sessions.find(token) is not None
    clock.now += IDLE_S - 1
    assert sessions.find(token) is not None
    clock.now += IDLE_S + 1

    assert sessions.find(token) is None
    assert sessions.find(token) is None


def test_who_leaves_is_forgotten(sessions: Sessions, home: Installation) -> None:
    token = opened(sessions, home)
    sessions.close(token)

    assert sessions.find(token) is None


def test_a_withdrawn_key_ends_its_sessions_at_once(tmp_path: Path) -> None:
    home = Installation(tmp_path / "data")
    sessions = Sessions(Access(home.data_dir))
    token = opened(sessions, home)
    (home.data_dir / "credentials.toml").write_text("", encoding="utf-8")

    assert sessions.find(token) is None


@pytest.mark.parametrize(("text", "kept"), [(DONE, True), (HEARTBEAT, False)])
async def test_what_a_reader_does_keeps_the_session_and_heartbeats_do_not(
    sessions: Sessions, home: Installation, clock: Clock, text: str, kept: bool
) -> None:
    token = opened(sessions, home)
    heard = await through(sessions, token, text, later=lambda: setattr(clock, "now", clock.now + IDLE_S - 1))
    clock.now += 2

    assert heard == {"type": "websocket.receive", "text": text}
    assert (sessions.find(token) is not None) is kept


async def test_nothing_is_heard_from_a_page_whose_session_is_over(
    sessions: Sessions, home: Installation, clock: Clock
) -> None:
    token = opened(sessions, home)

    heard = await through(sessions, token, DONE, later=lambda: setattr(clock, "now", clock.now + IDLE_S + 1))

    assert heard == {"type": "websocket.disconnect", "code": 1008}


async def through(sessions: Sessions, token: str, text: str, *, later: Callable[[], None]) -> Message:
    """Open a socket with a session, let time pass, send one message; return what the page's code hears."""
    heard: list[Message] = []

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        later()
        heard.append(await receive())

    async def receive() -> Message:
        return {"type": "websocket.receive", "text": text}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    headers = [(b"cookie", f"{COOKIE}={token}".encode()), (b"host", b"a"), (b"origin", b"http://a")]
    await Guard(page, sessions=sessions)({"type": "websocket", "path": "/x", "headers": headers}, receive, send)
    return heard[0]


async def test_a_page_of_another_site_cannot_talk_through_the_cookie(sessions: Sessions, home: Installation) -> None:
    token = opened(sessions, home)
    sent: list[Message] = []

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("reached")

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("asked")

    headers = [(b"cookie", f"{COOKIE}={token}".encode()), (b"host", b"a"), (b"origin", b"https://evil.example")]
    await Guard(page, sessions=sessions)({"type": "websocket", "path": "/x", "headers": headers}, receive, send)

    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_a_key_of_nobody_opens_nothing(sessions: Sessions) -> None:
    assert sessions.open("sgk_00000000_" + "x" * 43, "fr") is None
