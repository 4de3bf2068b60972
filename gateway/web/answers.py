"""Answers line by line, each written when what it tells of is on disk; the last one says that it is the last."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from aiohttp.web import BaseRequest, StreamResponse

from gateway.errors import NotStored, Refused, Unauthorised
from gateway.intake.source import Line
from gateway.web.problem import Problem, described
from gateway.web.reception import Entry
from schemas.record import wire

CONTENT_TYPE = "application/x-ndjson"

UNREAD = 4 * 1024 * 1024
"""Bytes of answers that wait for a caller which sends everything before it reads anything: 50,000 lines and more."""

_EXPECTED = (Problem, Refused, Unauthorised, NotStored, ConnectionError)


class Answers:
    """The answer to one request of many lines.

    Args:
        request: the request.
        patience: seconds in which a caller must read on, once ``UNREAD`` bytes wait for it.
    """

    def __init__(self, request: BaseRequest, *, patience: float) -> None:
        self._request = request
        self._patience = patience
        self._response: StreamResponse | None = None
        self._counts = {"accepted": 0, "duplicate": 0, "refused": 0}

    @property
    def begun(self) -> bool:
        """Whether a part of the answer is sent, so that no other can be."""
        return self._response is not None

    async def add(self, lines: Sequence[Line], results: Sequence[Entry | Refused | NotStored]) -> None:
        """Say what became of lines.

        Raises:
            NotStored: the last result is one; what came before it is said.
            ConnectionError: the caller is gone, or does not read.
        """
        said = [self._line(line, result) for line, result in zip(lines, results, strict=False)
                if not isinstance(result, NotStored)]  # fmt: skip
        if said:
            await self._write(said)
        if results and isinstance(results[-1], NotStored):
            raise results[-1]

    async def done(self) -> StreamResponse:
        """End the answer to a request whose every line is answered."""
        await self._write([{"done": True, **self._counts}])
        assert self._response is not None
        await self._response.write_eof()
        return self._response

    async def broken_off(self, error: Exception) -> StreamResponse:
        """End an answer that was begun: what is not answered was not stored, or may be sent again all the same."""
        response = self._response
        assert response is not None
        if isinstance(error, Problem):  # the rest of the body does not come
            response.force_close()
        try:
            await self._write([{"done": False, **described(error), **self._counts}])
            await response.write_eof()
        except ConnectionError:
            self._hang_up()
        return response

    @staticmethod
    def expects(error: Exception) -> bool:
        """Whether an error is one of those that happen."""
        return isinstance(error, _EXPECTED)

    def _line(self, line: Line, result: Entry | Refused) -> dict[str, Any]:
        if isinstance(result, Refused):
            self._counts["refused"] += 1
            faults = [replace(fault, line=line.number) if fault.line else fault for fault in result.faults]
            errors = [wire(fault) for fault in faults]
            return {"line": line.number, "status": "refused", "code": result.code.code, "errors": errors}
        status = "duplicate" if result.duplicate else "accepted"
        self._counts[status] += 1
        return {"line": line.number, "id": result.id, "status": status}

    async def _write(self, documents: Sequence[dict[str, Any]]) -> None:
        response = self._response or await self._begin()
        data = "".join(json.dumps(document, separators=(",", ":")) + "\n" for document in documents).encode()
        try:
            async with asyncio.timeout(self._patience):
                await response.write(data)
        except TimeoutError:
            self._hang_up()
            raise ConnectionError("the caller does not read what it is answered") from None

    async def _begin(self) -> StreamResponse:
        response = StreamResponse(status=200, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})
        if self._request.transport is not None:
            self._request.transport.set_write_buffer_limits(high=UNREAD)
        await response.prepare(self._request)
        self._response = response
        return response

    def _hang_up(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()
