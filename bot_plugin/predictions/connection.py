"""One connection to the gateway, HTTP/1.1: the body goes out while the answer comes in, line by line."""

from __future__ import annotations

import asyncio
import re
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bot_plugin.predictions.settings import PredictionSettings
from bot_plugin.version import VERSION

LIMIT = 65_536
"""Bytes of one line of an answer, of its head's lines, and of a body that is not read line by line."""

_MOST_FIELDS = 100
"""Headers of an answer, and how often it may say that it is still to come."""

_INTERIM = range(100, 200)
_STATUS = re.compile(r"HTTP/1\.[01] ([1-9]\d\d)( .*)?", re.ASCII)
_LENGTH = re.compile(r"\d{1,12}", re.ASCII)
_SIZE = re.compile(r"[0-9A-Fa-f]{1,12}", re.ASCII)
_CUT = "the connection ended before the answer did"


class Broken(ConnectionError):
    """What came is no answer of HTTP, or ended within it."""


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of an answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]


class Connection:
    """A connection, for one request at a time.

    Args:
        reader: from the gateway.
        writer: to the gateway.
        settings: whose gateway, and how long its silence may last.
    """

    def __init__(self, reader: StreamReader, writer: StreamWriter, settings: PredictionSettings) -> None:
        self._reader, self._writer = reader, writer
        self._settings = settings
        self._head: Head | None = None
        self._ended = False

    @classmethod
    async def open(cls, settings: PredictionSettings, tls: ssl.SSLContext | None) -> Connection:
        """Connect, and check the certificate where there is TLS.

        Raises:
            OSError: it cannot be reached within the timeout, or is not who it should be.
        """
        async with asyncio.timeout(settings.timeout):
            streams = await asyncio.open_connection(settings.host, settings.port, ssl=tls, limit=LIMIT)
        return cls(*streams, settings)

    @property
    def reusable(self) -> bool:
        """Whether the last answer came whole, and the gateway leaves the connection open."""
        closing = self._head is None or self._head.headers.get("connection", "").lower() == "close"
        sent = self._writer.transport.get_write_buffer_size() == 0
        return self._ended and sent and not closing and not self._reader.at_eof()

    def close(self) -> None:
        """Let it go, whatever is under way."""
        self._writer.transport.abort()

    async def post(self, headers: Mapping[str, str], body: bytes) -> Head:
        """Send a request, and return when the answer begins; the body may still be going out.

        Raises:
            OSError: the connection ended, or nothing came within the timeout.
        """
        self._head, self._ended = None, False
        named = {
            "Host": self._settings.authority,
            "User-Agent": f"signal-gateway-predictions/{VERSION}",
            "Content-Length": str(len(body)),
            **headers,
        }
        lines = [f"POST {self._settings.target} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
        self._writer.write("\r\n".join([*lines, "\r\n"]).encode("ascii") + body)
        for _ in range(_MOST_FIELDS):
            self._head = await self._read_head()
            if self._head.status not in _INTERIM:
                return self._head
        raise Broken("the answer does not begin")

    async def lines(self) -> AsyncIterator[bytes]:
        """The answer's lines, each as soon as it is there.

        Raises:
            OSError: the connection ended before the answer did, or nothing came within the timeout.
        """
        rest = b""
        async for piece in self._pieces():
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line
            if len(rest) > LIMIT:
                raise Broken(f"a line of the answer has more than {LIMIT:,} bytes")
        if rest:
            yield rest

    async def body(self) -> bytes:
        """The answer's body, as far as it is not too long to be one that says what is wrong."""
        body = b""
        with suppress(OSError):
            async for piece in self._pieces():
                body += piece
                if len(body) > LIMIT:
                    break
        return body[:LIMIT]

    async def _read_head(self) -> Head:
        status = _STATUS.fullmatch(first := await self._line())
        if status is None:
            raise Broken("what came is no answer of HTTP")
        lines = [line.partition(":") async for line in self._fields()]
        headers = {name.lower(): value.strip() for name, _, value in lines}
        if first.startswith("HTTP/1.0"):
            headers["connection"] = "close"
        return Head(int(status[1]), headers)

    async def _fields(self) -> AsyncIterator[str]:
        """The lines until an empty one: headers, or trailers."""
        for _ in range(_MOST_FIELDS):
            if not (line := await self._line()):
                return
            yield line
        raise Broken(f"the answer has more than {_MOST_FIELDS} headers")

    async def _pieces(self) -> AsyncIterator[bytes]:
        assert self._head is not None
        headers = self._head.headers
        if "chunked" in headers.get("transfer-encoding", "").lower():
            async for piece in self._chunks():
                yield piece
        elif _LENGTH.fullmatch(length := headers.get("content-length", "")):
            async for piece in self._exactly(int(length)):
                yield piece
        else:  # it ends with the connection
            while piece := await self._within(self._reader.read(LIMIT)):
                yield piece
        self._ended = True

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := await self._chunk_size():
            async for piece in self._exactly(size):
                yield piece
            await self._line()
        async for _ in self._fields():
            pass

    async def _chunk_size(self) -> int:
        text = (await self._line()).partition(";")[0].strip()
        if not _SIZE.fullmatch(text):
            raise Broken("the answer's chunks cannot be read")
        return int(text, 16)

    async def _exactly(self, size: int) -> AsyncIterator[bytes]:
        while size:
            piece = await self._within(self._reader.read(min(size, LIMIT)))
            if not piece:
                raise Broken(_CUT)
            size -= len(piece)
            yield piece

    async def _line(self) -> str:
        try:
            line = await self._within(self._reader.readuntil(b"\n"))
        except asyncio.IncompleteReadError:
            raise Broken(_CUT) from None
        except asyncio.LimitOverrunError:
            raise Broken(f"a line of the answer has more than {LIMIT:,} bytes") from None
        return line.decode("latin-1").rstrip("\r\n")

    async def _within(self, reading: Coroutine[Any, Any, bytes]) -> bytes:
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await reading
        except TimeoutError:
            raise Broken(f"nothing came for {self._settings.timeout:g} s") from None
