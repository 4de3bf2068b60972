"""Listeners on real sockets, and a client that writes bytes as they are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientSession

from gateway.telemetry import NullTelemetry, Telemetry
from gateway.web import HttpListener, ListenSettings
from gateway.web.server import Site


@dataclass(frozen=True)
class Answer:
    """An answer as it came over the socket."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A site that is served."""

    port: int
    client: ClientSession
    listener: HttpListener

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def raw(self, data: bytes, *, timeout: float = 10) -> Answer | None:
        """Write bytes and read one answer; None where the connection ends without one."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            async with asyncio.timeout(timeout):
                return await read_answer(reader)
        except ConnectionError:
            return None
        finally:
            writer.close()


async def read_answer(reader: asyncio.StreamReader) -> Answer | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(head[0].split()[1]), headers, body)


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def serve(
            site: Site, *, telemetry: Telemetry | None = None, on_stop: Callable[[], None] = str, **settings: Any
        ) -> Served:
            served = serving(site, telemetry=telemetry or NullTelemetry(), on_stop=on_stop, **settings)
            return await stack.enter_async_context(served)

        yield serve


@asynccontextmanager
async def serving(
    site: Site, *, telemetry: Telemetry, on_stop: Callable[[], Any] = str, **settings: Any
) -> AsyncIterator[Served]:
    bounds = ListenSettings(**{"drain": 1.0, **settings})
    listener = HttpListener(site, settings=bounds, telemetry=telemetry, on_stop=on_stop)
    await listener.start()
    async with ClientSession(auto_decompress=False) as client:
        yield Served(port_of(listener), client, listener)
    await listener.stop()


def addresses(listener: HttpListener) -> list[tuple[str, int]]:
    """Where it listens: host and port of each socket."""
    return [address[:2] for address in listener._runner.addresses] if listener._runner else []


def port_of(listener: HttpListener) -> int:
    return addresses(listener)[0][1]


async def eventually(condition: Callable[[], Any], *, within: float = 5) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.005)
