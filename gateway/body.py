"""Request headers and a stream of chunks → the bytes of the body: counted while they arrive, expanded, timed.

Raises Unsupported (415), TooLarge (413), Malformed (400, 408) or Busy (503) as soon as it is known, and buffers
nothing beyond the limit. Content-Length is believed only when it refuses. Promise: P20.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from fhir_profiles.errors import Malformed, PipelineError, TooLarge, Unsupported
from fhir_profiles.issues import issue

MEDIA_TYPES = ("application/fhir+json", "application/json")
XML = ("application/fhir+xml", "application/xml", "text/xml")
UTF_8 = ("utf-8", "utf8")
R4 = ("4.0", "4.0.1")
GZIP = ("gzip", "x-gzip")
GZIP_WINDOW = 31  # zlib: 15 bits of window, and a gzip header


class Gone(PipelineError):  # noqa: N818 — named as the others of its tree
    """The caller went away before the body was complete: nobody waits for an answer."""


@dataclass(frozen=True, slots=True)
class Form:
    """What the headers say of a body: whether it is gzip, and its announced length."""

    gzip: bool
    length: int | None


def form_of(headers: Mapping[str, str], limit: int) -> Form:
    """Read the headers of a request that has a body. Raises Unsupported, or TooLarge by the announced length."""
    _check_type(headers.get("content-type", ""))
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity", *GZIP):
        raise Unsupported(issue("content-encoding"))
    announced = headers.get("content-length", "")
    length = int(announced) if announced.isascii() and announced.isdigit() else None
    if length is not None and length > limit:
        raise _too_large(limit)
    return Form(encoding in GZIP, length)


def _check_type(content_type: str) -> None:
    media_type, *parameters = (part.strip() for part in content_type.split(";"))
    if media_type.lower() in XML:
        raise Unsupported(issue("media-type-xml"))
    if media_type.lower() not in MEDIA_TYPES:
        raise Unsupported(issue("media-type"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        said = value.strip().strip('"').lower()
        if name.strip().lower() == "charset" and said not in UTF_8:
            raise Unsupported(issue("charset"))
        if name.strip().lower() == "fhirversion" and said not in R4:
            raise Unsupported(issue("fhir-version"))


async def read_body(
    chunks: AsyncIterator[bytes], form: Form, *, limit: int, timeout_s: float, hold: Callable[[int], None]
) -> bytes:
    """Read and expand a body. `hold` is told the bytes held before they are kept; it may raise Busy."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _read(chunks, form, limit, hold)
    except TimeoutError:
        raise Malformed(issue("body-too-slow", limit=f"{timeout_s:g}")) from None


async def _read(chunks: AsyncIterator[bytes], form: Form, limit: int, hold: Callable[[int], None]) -> bytes:
    sent = 0
    kept = bytearray()
    expand = _Gzip(limit) if form.gzip else None
    if form.length:
        hold(form.length)
    async for chunk in chunks:
        sent += len(chunk)
        if sent > limit:
            raise _too_large(limit)
        kept += chunk if expand is None else expand.feed(chunk)
        hold(max(sent, len(kept)))
    if expand is not None:
        expand.finish()
    return bytes(kept)


class _Gzip:
    """gzip members one after the other, never expanded beyond the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit
        self._member = zlib.decompressobj(GZIP_WINDOW)
        self._members = 0

    def feed(self, chunk: bytes) -> bytes:
        made = bytearray()
        while chunk:
            if self._member.eof:
                self._member = zlib.decompressobj(GZIP_WINDOW)
            try:
                part = self._member.decompress(chunk, self._left + 1)
            except zlib.error:
                raise Malformed(issue("gzip-invalid")) from None
            if len(part) > self._left:
                raise _too_large(self._limit)
            self._left -= len(part)
            made += part
            chunk = self._member.unused_data or self._member.unconsumed_tail
        return bytes(made)

    def finish(self) -> None:
        if not self._member.eof:
            raise Malformed(issue("gzip-invalid"))


def _too_large(limit: int) -> TooLarge:
    return TooLarge(issue("body-too-large", limit=str(limit)))
