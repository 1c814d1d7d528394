"""Bodies are counted while they arrive, expanded within the limit, cut when late; headers decide first."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_profiles.errors import Busy, Malformed, PipelineError, Refused, TooLarge, Unsupported
from gateway.body import Form, form_of, read_body

LIMIT = 1000
JSON = "application/fhir+json"


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(*parts: bytes, gzipped: bool = False, length: int | None = None, limit: int = LIMIT) -> bytes:
    form = Form(gzipped, length)
    return await read_body(chunks(*parts), form, limit=limit, timeout_s=60, hold=lambda _: None)


async def refused(*parts: bytes, gzipped: bool = False) -> tuple[type[PipelineError], str]:
    with pytest.raises(Refused) as caught:
        await read(*parts, gzipped=gzipped)
    return type(caught.value), caught.value.code


@pytest.mark.parametrize("size", [0, 1, LIMIT - 1, LIMIT])
async def test_up_to_the_limit_a_body_is_read(size: int) -> None:
    assert await read(b"x" * (size // 2), b"x" * (size - size // 2)) == b"x" * size


async def test_one_byte_more_is_refused_while_streaming() -> None:
    seen: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            seen.append(100)
            yield b"x" * 100

    with pytest.raises(TooLarge):
        await read_body(endless(), Form(gzip=False, length=None), limit=LIMIT, timeout_s=60, hold=lambda _: None)

    assert sum(seen) == LIMIT + 100


async def test_an_announced_length_is_believed_only_when_it_refuses() -> None:
    with pytest.raises(TooLarge):
        form_of({"content-type": JSON, "content-length": str(LIMIT + 1)}, LIMIT)

    assert form_of({"content-type": JSON, "content-length": "3"}, LIMIT).length == 3
    assert await refused(b"x" * (LIMIT + 1)) == (TooLarge, "body-too-large")


async def test_gzip_is_expanded_up_to_the_limit_and_no_further() -> None:
    assert await read(gzip.compress(b"x" * LIMIT), gzipped=True) == b"x" * LIMIT
    assert await refused(gzip.compress(b"x" * (LIMIT + 1)), gzipped=True) == (TooLarge, "body-too-large")


async def test_a_gzip_bomb_is_never_expanded() -> None:
    made: list[int] = []
    squeezer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(squeezer.compress(b"\0" * 1024 * 1024) for _ in range(50)) + squeezer.flush()

    with pytest.raises(TooLarge):
        await read_body(chunks(bomb), Form(gzip=True, length=None), limit=1024 * 1024, timeout_s=60, hold=made.append)

    assert max(made, default=0) <= 1024 * 1024


async def test_gzip_members_one_after_the_other_are_one_body() -> None:
    assert await read(gzip.compress(b"ab") + gzip.compress(b"cd"), gzipped=True) == b"abcd"


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", gzip.compress(b"x" * 99)[:-1], gzip.compress(b"x") + b"trailing", b"\x1f\x8b" + b"\0" * 20],
    ids=["empty", "not gzip", "cut", "trailing", "broken"],
)
async def test_what_is_not_whole_gzip_is_refused(content: bytes) -> None:
    assert await refused(content, gzipped=True) == (Malformed, "gzip-invalid")


@given(st.binary(max_size=300), st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_any_split_of_any_body_gives_the_same_bytes(content: bytes, cuts: list[int]) -> None:
    squeezed = gzip.compress(content)
    parts, rest = [], squeezed
    for cut in cuts:
        parts.append(rest[:cut])
        rest = rest[cut:]

    assert asyncio.run(read(*parts, rest, gzipped=True)) == content


async def test_a_body_that_comes_too_slowly_is_cut() -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    with pytest.raises(Malformed) as caught:
        await read_body(never(), Form(gzip=False, length=None), limit=LIMIT, timeout_s=0.01, hold=lambda _: None)

    assert caught.value.code == "body-too-slow"


async def test_the_bytes_held_are_told_before_they_are_kept() -> None:
    held: list[int] = []

    def full(size: int) -> None:
        held.append(size)
        if size > 500:
            raise Busy("saturated")

    with pytest.raises(Busy):
        await read_body(
            chunks(b"x" * 300, b"x" * 300, b"x" * 300),
            Form(gzip=False, length=None),
            limit=LIMIT,
            timeout_s=60,
            hold=full,
        )

    assert held == [300, 600]


ACCEPTED = [
    "application/fhir+json",
    "application/json",
    "Application/FHIR+JSON; charset=UTF-8",
    'application/fhir+json;charset="utf-8"; fhirVersion=4.0',
    "application/json ;charset=utf8",
]
REFUSED: list[tuple[Callable[[], dict[str, str]], str]] = [
    (dict, "media-type"),
    (lambda: {"content-type": ""}, "media-type"),
    (lambda: {"content-type": "text/plain"}, "media-type"),
    (lambda: {"content-type": "application/x-www-form-urlencoded"}, "media-type"),
    (lambda: {"content-type": "application/fhir+json, application/json"}, "media-type"),
    (lambda: {"content-type": "application/fhir+xml"}, "media-type-xml"),
    (lambda: {"content-type": "text/xml; charset=utf-8"}, "media-type-xml"),
    (lambda: {"content-type": f"{JSON}; charset=iso-8859-1"}, "charset"),
    (lambda: {"content-type": f"{JSON}; charset=utf-16"}, "charset"),
    (lambda: {"content-type": f"{JSON}; fhirVersion=5.0"}, "fhir-version"),
    (lambda: {"content-type": JSON, "content-encoding": "br"}, "content-encoding"),
    (lambda: {"content-type": JSON, "content-encoding": "gzip, gzip"}, "content-encoding"),
    (lambda: {"content-type": JSON, "content-encoding": "deflate"}, "content-encoding"),
]


@pytest.mark.parametrize("content_type", ACCEPTED)
def test_these_media_types_are_read(content_type: str) -> None:
    assert form_of({"content-type": content_type}, LIMIT) == Form(gzip=False, length=None)


@pytest.mark.parametrize(("headers", "code"), REFUSED)
def test_these_headers_are_refused_before_the_body(headers: Callable[[], dict[str, str]], code: str) -> None:
    with pytest.raises(Unsupported) as caught:
        form_of(headers(), LIMIT)

    assert caught.value.code == code
