"""Reads a body line by line as it arrives: bounded in the length of a line and in time, whatever the body's size."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence

from aiohttp import hdrs
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import BaseRequest, RequestPayloadError

from gateway.errors import Code, NotStored, Refused
from gateway.intake.source import Line
from gateway.web.body import COMPRESSED, coding_of, invite, new_inflater, unreadable
from gateway.web.problem import Problem
from schemas.errors import Fault

MOST = 128
"""Lines that are handed on at once: what they take keeps no other request waiting for long."""

_PIECE = 65_536


class Splitter:
    """Cuts bytes into lines; blank ones are counted and left out.

    Args:
        longest: bytes of a line; of a longer one nothing is kept.
    """

    def __init__(self, *, longest: int) -> None:
        self._longest = longest
        self._number = 0
        self._rest = bytearray()
        self._too_long = False

    def feed(self, data: bytes) -> list[Line]:
        """The lines that end in what came."""
        *ended, rest = data.split(b"\n")
        lines = []
        for part in ended:
            self._keep(part)
            lines += self._end()
        self._keep(rest)
        return lines

    def end(self) -> list[Line]:
        """The line that has no end of its own, if there is one."""
        return self._end()

    def _keep(self, part: bytes) -> None:
        if self._too_long or len(self._rest) + len(part) > self._longest:
            self._too_long = True
            self._rest.clear()
        else:
            self._rest += part

    def _end(self) -> list[Line]:
        body, too_long = bytes(self._rest), self._too_long
        self._rest.clear()
        self._too_long = False
        self._number += 1
        if too_long:
            fault = Fault(where="", problem=f"The line may have {self._longest} bytes", line=self._number, column=1)
            return [Line(self._number, b"", Refused(Code.TOO_LARGE, fault))]
        return [] if not body or body.isspace() else [Line(self._number, body)]


class Inflater:
    """Decompresses what arrives, in pieces that are bounded however much is packed into them."""

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None
        self._head = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What a part of the compressed body holds.

        Raises:
            Refused: UNREADABLE: it is not what its encoding says.
        """
        data = self._head + data
        self._head = b""
        while data:
            if self._stream is None or self._stream.eof:
                if len(data) < 2:  # noqa: PLR2004  the header's two bytes tell which format it is
                    self._head = data
                    return
                self._stream = new_inflater(data)
            yield from self._pieces(self._stream, data)
            data = self._stream.unused_data

    def _pieces(self, stream: zlib._Decompress, data: bytes) -> Iterator[bytes]:
        while True:
            try:
                piece = stream.decompress(data, _PIECE)
            except zlib.error:
                raise unreadable("The body is not what its Content-Encoding says") from None
            if piece:
                yield piece
            data = stream.unconsumed_tail
            if stream.eof or (not data and len(piece) < _PIECE):
                return

    def end(self) -> None:
        """Make sure that the body was whole.

        Raises:
            Refused: UNREADABLE: it is cut off.
        """
        if self._head or (self._stream is not None and not self._stream.eof):
            raise unreadable("The compressed body is cut off")


class Whole:
    """The bytes of a body that is sent as it is; see ``Inflater``."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What came."""
        yield data

    def end(self) -> None:
        """Nothing is missing."""


class Arrivals:
    """The bodies without an end that arrive now.

    Args:
        longest: bytes of a line.
        idle: seconds in which more of a body must arrive.
    """

    def __init__(self, *, longest: int, idle: float) -> None:
        self._longest = longest
        self._idle = idle
        self._waits: set[asyncio.Timeout] = set()
        self._stopping = False

    def stop(self) -> None:
        """End them: whoever waits for more waits no longer."""
        self._stopping = True
        for wait in self._waits:
            wait.reschedule(asyncio.get_running_loop().time())

    async def lines(self, request: BaseRequest) -> AsyncIterator[Sequence[Line]]:
        """Hand on the lines of a body as they arrive, at most ``MOST`` at once.

        Raises:
            Refused: its encoding is not known, or it is not what its encoding says.
            Problem: it did not arrive whole, or nothing more came in time.
            NotStored: the gateway stops.
        """
        unpack = Inflater() if coding_of(request) in COMPRESSED else Whole()
        splitter = Splitter(longest=self._longest)
        await invite(request)
        while data := await self._next(request):
            for piece in unpack.feed(data):
                for some in portions(splitter.feed(piece)):
                    yield some
                await asyncio.sleep(0)
        unpack.end()
        for some in portions(splitter.end()):
            yield some

    async def _next(self, request: BaseRequest) -> bytes:
        self._ensure_running()
        try:
            async with asyncio.timeout(self._idle) as wait:
                self._waits.add(wait)
                data: bytes = await request.content.readany()
                return data
        except TimeoutError:
            self._ensure_running()
            detail = f"Nothing more of the body came for {self._idle:g} s."
            raise Problem(408, "timeout", "The request took too long", detail=detail) from None
        except (RequestPayloadError, HttpProcessingError, ConnectionError, EOFError):
            raise Problem.bad_request("The body did not arrive whole.") from None
        finally:
            self._waits.discard(wait)

    def _ensure_running(self) -> None:
        if self._stopping:
            raise NotStored("stopping", "The gateway is stopping; send it again when it is back.")


def portions(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    """Lines in groups of at most ``MOST``."""
    for start in range(0, len(lines), MOST):
        yield lines[start : start + MOST]


def is_ndjson(request: BaseRequest) -> bool:
    """Whether a request says that its body is a JSON document on each line."""
    return request.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower() in _NDJSON


_NDJSON = frozenset(
    {
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/jsonlines",
    }
)
