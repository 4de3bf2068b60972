"""Reads a request's body: bounded in size, in time, and in what a compressed one may grow to."""

from __future__ import annotations

import asyncio
import zlib

from aiohttp import hdrs
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import BaseRequest, RequestPayloadError

from gateway.errors import Code, NotStored, Refused
from gateway.web.problem import Problem
from schemas.errors import Fault

COMPRESSED = frozenset({"gzip", "x-gzip", "deflate"})
_DETECT = zlib.MAX_WBITS | 32
"""zlib's or gzip's own header, whichever is there."""


class BodyReader:
    """Reads bodies of at most ``limit`` bytes, ``most`` of them at a time."""

    def __init__(self, *, limit: int, timeout: float, most: int) -> None:
        self._limit = limit
        self._timeout = timeout
        self._most = most
        self._arriving = 0

    async def read(self, request: BaseRequest) -> bytes:
        """Read a body and decompress it.

        Raises:
            Refused: too large, in an unknown encoding, or not what its encoding says.
            Problem: it did not arrive whole, or in time.
            NotStored: too many bodies are arriving at once.
        """
        coding = coding_of(request)
        if (request.content_length or 0) > self._limit:
            raise self._too_large()
        try:
            raw = request.content.read_nowait(-1) if request.content.is_eof() else await self._arrive(request)
        except (RequestPayloadError, HttpProcessingError, ConnectionError, EOFError):
            raise Problem.bad_request("The body did not arrive whole.") from None
        if len(raw) > self._limit:
            raise self._too_large()
        return self._inflate(raw) if raw and coding in COMPRESSED else raw

    async def _arrive(self, request: BaseRequest) -> bytes:
        if self._arriving >= self._most:
            raise NotStored("busy", "Too many bodies are arriving at once.")
        self._arriving += 1
        try:
            async with asyncio.timeout(self._timeout):
                return await self._gather(request)
        except TimeoutError:
            detail = f"The body took longer than {self._timeout:g} s."
            raise Problem(408, "timeout", "The request took too long", detail=detail) from None
        finally:
            self._arriving -= 1

    async def _gather(self, request: BaseRequest) -> bytes:
        await invite(request)
        body = bytearray()
        while chunk := await request.content.readany():
            body += chunk
            if len(body) > self._limit:
                raise self._too_large()
        return bytes(body)

    def _inflate(self, raw: bytes) -> bytes:
        body = b""
        while raw:
            stream = zlib.decompressobj(_DETECT) if body else new_inflater(raw)
            try:
                body += stream.decompress(raw, self._limit + 1 - len(body))
            except zlib.error:
                raise unreadable("The body is not what its Content-Encoding says") from None
            if len(body) > self._limit:
                raise self._too_large()
            if not stream.eof:
                raise unreadable("The compressed body is cut off")
            raw = stream.unused_data
        return body

    def _too_large(self) -> Refused:
        return Refused(Code.TOO_LARGE, Fault(where="", problem=f"The body may have {self._limit} bytes"))


def coding_of(request: BaseRequest) -> str:
    """A body's encoding: ``identity`` or one that can be unpacked.

    Raises:
        Refused: it is not known.
    """
    encoding = request.headers.get(hdrs.CONTENT_ENCODING)
    coding = "identity" if encoding is None else encoding.strip().lower()
    if coding != "identity" and coding not in COMPRESSED:
        raise _unknown(coding)
    return coding


async def invite(request: BaseRequest) -> None:
    """Let a caller send its body that waits to be told so."""
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def new_inflater(raw: bytes) -> zlib._Decompress:
    """What unpacks a body that begins so."""
    return zlib.decompressobj(_DETECT if _has_header(raw) else -zlib.MAX_WBITS)


def _has_header(raw: bytes) -> bool:
    return raw[:2] == b"\x1f\x8b" or (raw[0] & 0x0F == zlib.DEFLATED and int.from_bytes(raw[:2]) % 31 == 0)


def _unknown(coding: str) -> Refused:
    cause = "Send it as it is, or with gzip or deflate."
    fault = Fault(where="Content-Encoding", problem="The encoding is not known", found=coding[:80], cause=cause)
    return Refused(Code.UNKNOWN_ENCODING, fault)


def unreadable(problem: str) -> Refused:
    """A body that its encoding does not explain."""
    return Refused(Code.UNREADABLE, Fault(where="", problem=problem))
