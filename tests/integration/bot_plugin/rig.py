"""A Mosquitto process, a stand-in for the gateway, and ways to wait."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot_plugin import SignalListener
from bot_plugin.reconnecting import MqttLink
from bot_plugin.testing import build, topic_of
from bot_plugin.transport import LinkSettings, Message
from schemas import envelope as envelopes
from schemas.envelope import Envelope
from schemas.receipt import Receipt, ReceiptSchema
from schemas.record import load

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


async def eventually(condition: Callable[[], Any], *, within: float = 20.0) -> Any:
    """Return the condition's value once it is true."""
    async with asyncio.timeout(within):
        while not (value := condition()):
            await asyncio.sleep(0.005)
    return value


@dataclass
class Mosquitto:
    folder: Path
    port: int
    extra: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        conf = self.folder / "mosquitto.conf"
        conf.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nlog_dest none\n{self.extra}")
        self.process = subprocess.Popen([MOSQUITTO, "-c", str(conf)], stderr=subprocess.DEVNULL)
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.01)
        raise RuntimeError("mosquitto did not start")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Gateway:
    """Stands for the gateway: publishes signals, and keeps the receipts and cards that it hears."""

    def __init__(self, port: int, *, username: str | None = None) -> None:
        self.messages: list[Message] = []
        self.link = MqttLink(
            LinkSettings(
                host="127.0.0.1",
                port=port,
                client_id="gateway",
                username=username,
                password=username,
                filters=("signals/v1/receipt/+", "signals/v1/bot/+"),
                clean=True,
            )
        )

    async def receive(self, message: Message) -> None:
        self.messages.append(message)

    async def send(self, listener: SignalListener, **signal: Any) -> str:
        envelope = self.make(listener, **signal)
        await self.publish(listener, envelope)
        return envelope.id

    def make(self, listener: SignalListener, **signal: Any) -> Envelope:
        return build(listener, **signal)

    async def publish(self, listener: SignalListener, envelope: Envelope) -> None:
        await eventually(lambda: self.link.free)
        await self.link.publish(topic_of(listener, envelope), envelopes.encode(envelope))

    def receipts(self, signal: str | None = None) -> list[Receipt]:
        found = [
            load(ReceiptSchema, envelopes.decode(message.payload).data)
            for message in self.messages
            if "/receipt/" in message.topic
        ]
        return [receipt for receipt in found if signal in {None, receipt.signal}]

    async def settled(self, signal: str) -> list[Receipt]:
        await eventually(lambda: any(receipt.stage.final for receipt in self.receipts(signal)))
        return self.receipts(signal)


@contextlib.asynccontextmanager
async def task(work: Awaitable[Any]) -> AsyncIterator[asyncio.Future[Any]]:
    """Run beside the block; cancelled at its end."""
    running = asyncio.ensure_future(work)
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.wait({running})


@contextlib.asynccontextmanager
async def connected(listener: SignalListener) -> AsyncIterator[asyncio.Future[None]]:
    """Run a listener beside the block, once it is connected; stopped at its end."""
    running = asyncio.ensure_future(listener.run())
    up = asyncio.ensure_future(listener.wait_connected())
    try:
        await asyncio.wait({running, up}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        assert up.done()
        yield running
    finally:
        up.cancel()
        listener.stop()
        await asyncio.wait({running})
