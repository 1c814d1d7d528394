"""HTTP by hand: any bytes to a loopback port, and what came back, read as one answer."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any

WAIT_S = 180.0


@dataclass(frozen=True)
class Reply:
    """One answer; status 0 when the connection ended without one."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def codes(self) -> list[str]:
        return [one["details"]["coding"][0]["code"] for one in self.json["issue"]]


def send(port: int, *parts: bytes, close: bool = False) -> Reply:
    """Send parts, then read one answer. `close` ends our side first."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            if close:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return read_reply(connection, has_body=not parts[0].startswith(b"HEAD"))


def read_reply(connection: socket.socket, *, has_body: bool = True) -> Reply:
    """Read one answer, past any 100 Continue."""
    received = b""
    while True:
        head, mark, rest = received.partition(b"\r\n\r\n")
        if mark and head.startswith(b"HTTP/1.1 100"):
            received = rest
            continue
        if mark:
            status, headers = _head(head)
            length = int(headers.get("content-length", "0")) if has_body else 0
            if len(rest) >= length:
                return Reply(status, headers, rest[:length])
        try:
            more = connection.recv(65536)
        except ConnectionResetError:
            more = b""
        if not more:
            return Reply(0, {}, received)
        received += more


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Write a request; header names are given with `_` for `-`."""
    named = {"Host": "gateway.example", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body and "Transfer-Encoding" not in named:
        named.setdefault("Content-Length", str(len(body)))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split(" ")[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}
