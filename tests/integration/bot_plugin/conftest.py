"""A Mosquitto of each test's own, and listeners on it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import PluginSettings, SignalListener
from tests.brokers import free_port
from tests.integration.bot_plugin.rig import Gateway, Mosquitto, eventually, task


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    made: list[Mosquitto] = []

    def make(extra: str = "") -> Mosquitto:
        folder = tmp_path / f"mosquitto{len(made)}"
        folder.mkdir()
        made.append(Mosquitto(folder, free_port(), extra))
        made[-1].start()
        return made[-1]

    yield make
    for broker in made:
        broker.kill()


@pytest.fixture
def broker(make_broker: Callable[..., Mosquitto]) -> Mosquitto:
    return make_broker()


@pytest.fixture
async def gateway(broker: Mosquitto) -> AsyncIterator[Gateway]:
    gateway = Gateway(broker.port)
    async with task(gateway.link.run(gateway.receive, lambda: None)):
        await eventually(lambda: gateway.link.connected)
        yield gateway


@pytest.fixture(params=["5", "3.1.1"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_listener(broker: Mosquitto, tmp_path: Path) -> Callable[..., SignalListener]:
    numbers = itertools.count()

    def make(**settings: Any) -> SignalListener:
        folder = str(tmp_path / f"bot{next(numbers)}")
        given = {"bot": "demo", "host": "127.0.0.1", "port": broker.port, "grace": 0.2, "state_dir": folder, **settings}
        return SignalListener(PluginSettings(**given))

    return make
