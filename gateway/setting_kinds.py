"""How the value of one setting is read: TOML value or text of a variable → checked value.

A reader raises ValueError with what is expected; it never repeats what it was given (it could be a secret).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, get_args

Reader = Callable[[object], Any]
Network = IPv4Network | IPv6Network

TRUTHS = {"true": True, "false": False}


def text(value: object) -> str:
    """Read one line of text that is not empty."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError("a line of text is expected")
    return value.strip()


def truth(value: object) -> bool:
    """Read true or false."""
    found = TRUTHS.get(value.lower()) if isinstance(value, str) else value
    if found is True or found is False:
        return found
    raise ValueError("true or false is expected")


def one_of(literal: Any) -> Reader:  # noqa: ANN401 — a typing.Literal
    """Return the reader of one of the words of a Literal."""
    words = get_args(literal)

    def read(value: object) -> str:
        if value not in words:
            raise ValueError(f"one of {', '.join(words)} is expected")
        return str(value)

    return read


def integer(least: int, most: int) -> Reader:
    """Return the reader of a whole number."""

    def read(value: object) -> int:
        number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            raise ValueError(f"a whole number from {least} to {most} is expected")
        return number

    return read


def seconds(least: float, most: float) -> Reader:
    """Return the reader of a duration in seconds."""

    def read(value: object) -> float:
        try:
            number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
        except ValueError:
            number = None
        if number is None or not least <= number <= most:
            raise ValueError(f"seconds from {least:g} to {most:g} are expected")
        return number

    return read


def listed(value: object) -> tuple[str, ...]:
    """Read a list of words: an array, or words separated by commas."""
    words = [word.strip() for word in value.split(",")] if isinstance(value, str) else value
    if not isinstance(words, list) or not words or not all(isinstance(one, str) and one for one in words):
        raise ValueError("a list is expected: an array, or words separated by commas")
    return tuple(words)


def addresses(value: object) -> tuple[str, ...]:
    """Read host:port, several by commas."""
    found = listed(value)
    for one in found:
        host, _, port = one.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError("HOST:PORT is expected, several separated by commas")
    return found


def networks(value: object) -> tuple[Network, ...]:
    """Read addresses or networks (`10.0.0.0/8`), several by commas."""
    try:
        return tuple(ip_network(one) for one in listed(value))
    except ValueError:
        raise ValueError("addresses or networks are expected, several separated by commas") from None


def base_address(value: object) -> str:
    """Read the address of a server: scheme, host, port; no path."""
    found = text(value).rstrip("/")
    if not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+", found, re.ASCII):
        raise ValueError("https://HOST or https://HOST:PORT is expected, without a path")
    return found


def header_name(value: object) -> str:
    """Read the name of a header."""
    found = text(value)
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", found, re.ASCII):
        raise ValueError("the name of a header is expected")
    return found


def path(value: object) -> Path:
    """Read the path of a file or folder; relative ones are inside the data folder (see `Settings`)."""
    return Path(text(value))
