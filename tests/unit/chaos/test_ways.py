"""The way between a client and its broker: it passes everything, holds everything, or ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tests.brokers import Proxy


class Echo:
    """A server that says back what it hears, behind a proxy, and one client of it."""

    def __init__(self) -> None:
        self.heard = b""

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.proxy = Proxy(self._server.sockets[0].getsockname()[1])
        await self.proxy.start()
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.proxy.port)

    async def stop(self) -> None:
        await self.proxy.stop()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
        self._server.close()
        await self._server.wait_closed()

    async def says(self, text: bytes, *, within: float = 5.0) -> bytes:
        """What the client hears after it said something; TimeoutError where that is nothing."""
        self._writer.write(text)
        return await asyncio.wait_for(self._reader.read(100), within)

    async def hears(self) -> bytes:
        return await asyncio.wait_for(self._reader.read(100), 5.0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(100):
                self.heard += data
                writer.write(data)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@pytest.fixture
async def echo():
    made = Echo()
    await made.start()
    yield made
    await made.stop()


async def test_a_stalled_way_holds_both_sides_and_passes_everything_once_restored(echo):
    assert await echo.says(b"one") == b"one"

    echo.proxy.stall()
    with pytest.raises(TimeoutError):
        await echo.says(b"two", within=0.1)
    assert echo.heard == b"one"
    echo.proxy.restore()

    assert await echo.hears() == b"two"


async def test_a_way_that_is_reset_ends_with_what_was_held_and_new_ones_are_served(echo):
    echo.proxy.stall()
    with pytest.raises(TimeoutError):
        await echo.says(b"lost", within=0.1)
    echo.proxy.reset()

    assert await echo.hears() == b""
    reader, writer = await asyncio.open_connection("127.0.0.1", echo.proxy.port)
    writer.write(b"new")
    assert await asyncio.wait_for(reader.read(100), 5.0) == b"new"
    assert echo.heard == b"new"
    writer.close()
    await writer.wait_closed()
