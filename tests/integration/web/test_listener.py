"""The worker that listens: where it cannot it says why, and what it began it finishes."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import suppress

import pytest
from aiohttp import ClientConnectionError, ClientSession
from aiohttp.web import BaseRequest, Response, StreamResponse

from gateway.errors import Misconfigured
from gateway.telemetry import NullTelemetry
from gateway.web import HttpListener, ListenSettings
from gateway.web.server import Handler
from tests.integration.web.conftest import addresses, eventually, port_of


class Held:
    """A site whose requests wait until they are let go."""

    name = "public"

    def __init__(self) -> None:
        self.began = 0
        self.go = asyncio.Event()

    def route(self, _: BaseRequest) -> tuple[str, Handler]:
        return "hook", self._answer

    async def _answer(self, _: BaseRequest) -> StreamResponse:
        self.began += 1
        await self.go.wait()
        return Response(text="done")


def listener(site: Held, **settings: object) -> HttpListener:
    return HttpListener(site, settings=ListenSettings(**settings), telemetry=NullTelemetry())  # type: ignore[arg-type]


async def fetch(port: int, host: str = "127.0.0.1") -> str:
    async with ClientSession() as client, client.get(f"http://{host}:{port}/") as answer:
        return await answer.text()


async def cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_taken_port_names_its_holder_and_the_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured) as refused:
            await listener(Held(), port=port, setting="http.private").start()
    for part in (f"127.0.0.1:{port}", f"pid {os.getpid()}", "http.private.port"):
        assert part in str(refused.value)


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host.invalid"])
async def test_an_address_that_is_not_ours_names_the_setting(host: str) -> None:
    with pytest.raises(Misconfigured, match=r"http\.public\.host"):
        await listener(Held(), host=host).start()


async def test_what_could_not_start_can_be_started_again() -> None:
    site = Held()
    site.go.set()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        made = listener(site, port=taken.getsockname()[1])
        with pytest.raises(Misconfigured):
            await made.start()
    await made.start()
    assert await fetch(port_of(made)) == "done"
    await made.stop()


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
async def test_it_listens_on_ipv4_and_on_ipv6(host: str, url: str) -> None:
    site = Held()
    site.go.set()
    made = listener(site, host=host)
    task = asyncio.create_task(made.run())
    await eventually(lambda: addresses(made))
    assert addresses(made)[0][0] == host
    assert await fetch(port_of(made), url) == "done"
    await cancel(task)


async def test_cancelled_it_takes_no_more_and_finishes_what_it_began() -> None:
    site = Held()
    made = listener(site, drain=5)
    task = asyncio.create_task(made.run())
    await eventually(lambda: addresses(made))
    port = port_of(made)
    request = asyncio.create_task(fetch(port))
    await eventually(lambda: site.began)
    task.cancel()
    await eventually(lambda: refuses(port))
    assert not task.done()
    site.go.set()
    assert await request == "done"
    with pytest.raises(asyncio.CancelledError):
        await task
    assert addresses(made) == []


def refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


async def test_what_does_not_finish_is_cut_off_at_the_deadline() -> None:
    site = Held()
    made = listener(site, drain=0.4)
    task = asyncio.create_task(made.run())
    await eventually(lambda: addresses(made))
    request = asyncio.create_task(fetch(port_of(made)))
    await eventually(lambda: site.began)
    began = asyncio.get_running_loop().time()
    await cancel(task)
    assert asyncio.get_running_loop().time() - began < 2
    with pytest.raises(ClientConnectionError):
        await request


async def test_an_idle_connection_does_not_hold_up_the_end() -> None:
    site = Held()
    site.go.set()
    made = listener(site, drain=30)
    await made.start()
    async with ClientSession() as client:
        async with client.get(f"http://127.0.0.1:{port_of(made)}/") as answer:
            await answer.read()
        async with asyncio.timeout(2):
            await made.stop()
