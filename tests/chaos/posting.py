"""Posts alerts over several connections until each is answered 2xx, and writes down what was answered."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from tests.chaos.alerts import Alert, alert

ATTENTION = 3.0
"""Seconds after which TradingView gives up on an answer."""

PAUSE = 0.25
"""Seconds before an alert is sent again; TradingView waits 5, which a test has not."""

_AGAIN = {409, 429, 503}


class Unanswered(Exception):
    """No whole answer came: whether the alert was stored is not known."""


class Unacceptable(RuntimeError):
    """The gateway refused an alert that is right."""


class Connection:
    """One connection that is kept and opened again; a plain HTTP/1.1 client, as its time is the gateway's too."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes, *, key: str) -> tuple[int, Any]:
        """Post one body; status and document of the answer.

        Raises:
            Unanswered: refused, broken off, or too late.
        """
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nContent-Type: application/json\r\n"
            f"Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(ATTENTION):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(self._host, self._port)
                reader, writer = self._streams
                writer.write(head.encode() + body)
                return await _answer(reader)
        except (OSError, EOFError, TimeoutError) as error:
            await self.aclose()
            raise Unanswered(repr(error)) from error

    async def aclose(self) -> None:
        """Leave the connection."""
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, Any]:
    status, *headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (header.partition(":") for header in headers)}
    body = await reader.readexactly(int(fields["content-length"]))
    return int(status.split(" ", 2)[1]), json.loads(body)


class Posting:
    """All alerts of a run at a steady rate; what an outage held up follows as fast as it is taken.

    Args:
        webhooks: the URL of each source.
        answered: the file that gets a line for each alert answered 2xx: id, source, key, number, microseconds.
        total: how many alerts.
        rate: alerts per second.
        connections: how many are posted at once.

    ``again`` counts answers that asked to send again, ``unanswered`` those that did not come, ``seconds`` the time from
    the first alert to the last answer.
    """

    def __init__(
        self, webhooks: Mapping[str, str], *, answered: Path, total: int, rate: float, connections: int = 16
    ) -> None:
        self._urls = {source: urlsplit(url) for source, url in webhooks.items()}
        self._path = answered
        self._rate = rate
        self._connections = connections
        self._numbers: Iterator[int] = iter(range(total))
        self._began = 0.0
        self.answered = self.again = self.unanswered = 0
        self.seconds = 0.0

    async def run(self) -> None:
        """Post them all.

        Raises:
            Unacceptable: the gateway refused one for good.
        """
        self._began = time.monotonic()
        with self._path.open("a") as file:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._connections):
                    group.create_task(self._work(file))

    async def _work(self, file: TextIO) -> None:
        url = next(iter(self._urls.values()))
        assert url.hostname is not None
        assert url.port is not None
        connection = Connection(url.hostname, url.port)
        async with aclosing(connection):
            await self._post_through(connection, file)

    async def _post_through(self, connection: Connection, file: TextIO) -> None:
        for number in self._numbers:
            await asyncio.sleep(self._began + number / self._rate - time.monotonic())
            one = alert(number)
            id_ = await self._until_answered(connection, one)
            self.answered += 1
            self.seconds = time.monotonic() - self._began
            file.write(f"{id_}\t{one.source}\t{one.key}\t{number}\t{time.time_ns() // 1000}\n")

    async def _until_answered(self, connection: Connection, one: Alert) -> str:
        path = self._urls[one.source].path
        while True:
            try:
                status, document = await connection.post(path, one.body, key=f"alert-{one.number}")
            except Unanswered:
                self.unanswered += 1
            else:
                if status in {200, 202}:
                    return str(document["id"])
                if status not in _AGAIN:
                    raise Unacceptable(f"alert {one.number} of {one.source}: {status} {document}")
                self.again += 1
            await asyncio.sleep(PAUSE)
