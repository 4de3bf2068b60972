"""A strategy that comes and goes, and what can be seen of it at the broker."""

from __future__ import annotations

import asyncio
from typing import Any

from bot_plugin import (
    Handlers,
    Signal,
    SignalListener,
)
from bot_plugin.presence import decode_card
from bot_plugin.testing import Rig, build
from schemas.card import BotCard
from schemas.envelope import Envelope
from schemas.receipt import Receipt
from tests.brokers import eventually

TOPIC = "signals/v1/trade/trend/+"


class Strategy:
    """A strategy that counts what it is called for, and may be held inside its callback."""

    def __init__(self, name: str = "act", source: str = "trend", **filters: Any) -> None:
        self.handlers = Handlers()
        self.called: list[str] = []
        self.interrupted: list[str] = []
        self.signals: list[Signal] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.handlers.on_trade(source, name=name, **filters)(self.act)
        self.handlers.on_interrupted(self.note)

    async def act(self, signal: Signal) -> None:
        self.called.append(signal.id)
        self.signals.append(signal)
        await self.gate.wait()

    async def note(self, signal: Signal) -> None:
        self.interrupted.append(signal.id)


def filters(rig: Rig, role: str = "sig") -> set[str]:
    """What the broker sends the bot, of what handlers want."""
    session = rig.broker._sessions.get(f"signals.demo.{role}")
    own = ("signals/v1/bot/", "signals/v1/receipted/")
    return set() if session is None else {one for one in session.filters if not one.startswith(own)}


async def listening(rig: Rig, *wanted: str) -> None:
    await eventually(lambda: filters(rig) == set(wanted) and "signals.demo.sig" in rig.broker._links)


def cards(rig: Rig) -> list[BotCard]:
    found = [decode_card(message.payload) for message in rig.broker.published if "/bot/demo" in message.topic]
    return [card for card in found if card is not None]


def last(rig: Rig, envelope: Envelope, handler: str = "act") -> Receipt:
    return [receipt for receipt in rig.receipts(envelope.id) if receipt.handler == handler][-1]


async def ended(rig: Rig, envelope: Envelope, handler: str = "act") -> Receipt:
    """The last receipt of a signal in a handler."""
    await eventually(lambda: any(r.handler == handler and r.stage.final for r in rig.receipts(envelope.id)))
    return last(rig, envelope, handler)


def trade(bot: SignalListener, **more: Any) -> Envelope:
    return build(bot, source="trend", **more)
