"""For bot authors: run a strategy's handlers without a broker, and see the receipts.

receipts = await deliver(listener, source="btc-breakout", pair="BTC-USDT", action="buy", quantity="0.1")
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

import bot_plugin.guard  # noqa: F401  # before any `schemas`
from bot_plugin.fake import FakeBroker, FakeLink
from bot_plugin.inbox import MemoryInbox
from bot_plugin.listener import SignalListener
from bot_plugin.registration import ALERT, PREDICTION, TRADE
from schemas import envelope as envelopes
from schemas.alert import Alert, AlertSchema
from schemas.card import Receipted, ReceiptedSchema
from schemas.envelope import Envelope
from schemas.fields import from_micros
from schemas.instrument import Instrument, Kind
from schemas.prediction import Prediction, PredictionSchema
from schemas.receipt import Receipt, ReceiptSchema
from schemas.record import load, wire
from schemas.rpc import Reply, Request, read_reply, write_request
from schemas.topics import Mode, SignalTopic
from schemas.trade import Action, Effect, Order, Quantity, Trade, TradeSchema, Unit

_BODIES = {envelopes.TRADE: TRADE, envelopes.ALERT: ALERT, envelopes.PREDICTION: PREDICTION}


def build(
    listener: SignalListener,
    *,
    source: str = "test",
    pair: str | None = "BTC-USDT",
    action: str | None = "buy",
    kind: str = "spot",
    venue: str | None = None,
    quantity: str | None = None,
    price: str | None = None,
    message: str | None = None,
    prediction: Mapping[str, Any] | None = None,
    mode: str = "live",
    ttl: float = 60.0,
    age: float = 0.0,
    sequence: int | None = None,
    previous: int | None = None,
    **envelope: Any,
) -> Envelope:
    """A signal's envelope, as the gateway would make it.

    Args:
        listener: the bot that it is for.
        source: the source's name.
        pair: as Hummingbot spells it; None for an alert that names nothing.
        action: what a trade asks for; None for an alert with a ``message``.
        kind: the kind of market.
        venue: the data feed or exchange.
        quantity: an exact decimal, in the base currency.
        price: an exact decimal, in the quote currency.
        message: the sender's text.
        prediction: makes it one: what a pipeline posts, ``{"probabilities": {"long": 1}}``; its model is ``test``.
        mode: live, paper or test.
        ttl: seconds from acceptance to expiry.
        age: seconds since acceptance, by the listener's clock; negative for one from the future.
        sequence: its number on its topic; microseconds of acceptance where not given.
        previous: the number of the one before it; a bot that has not seen that one waits for it, up to 2 s.
        **envelope: attributes to set otherwise: ``id``, ``partitionkey``, ``causationid``.
    """
    at = listener.now() - round(age * 1_000_000)
    instrument = None if pair is None else Instrument(raw=pair, pair=pair, kind=Kind(kind), venue=venue)
    name = instrument.name if instrument else "-"
    type_, data = _said(action, instrument, prediction, quantity=quantity, price=price, message=message)
    attributes = {
        "id": str(uuid.uuid4()),
        "source": f"/sources/{source}",
        "type": type_,
        "time": from_micros(at),
        "expirytime": from_micros(at + round(ttl * 1_000_000)),
        "mode": Mode(mode),
        "partitionkey": f"{source}/{name}",
        "sequence": at if sequence is None else sequence,
        "previoussequence": previous,
        "subject": name,
        "data": data,
    }
    return Envelope(**{**attributes, **envelope})


def _said(
    action: str | None,
    instrument: Instrument | None,
    prediction: Mapping[str, Any] | None,
    *,
    quantity: str | None,
    price: str | None,
    message: str | None,
) -> tuple[str, Mapping[str, Any]]:
    """The type and the body."""
    if prediction is not None:
        return _prediction(prediction, instrument)
    if action is None:
        return _alert(message, instrument)
    return _trade(action, instrument, quantity=quantity, price=price, message=message)


def _trade(
    action: str, instrument: Instrument | None, *, quantity: str | None, price: str | None, message: str | None
) -> tuple[str, Mapping[str, Any]]:
    if instrument is None:
        raise ValueError("a trade has a pair; an alert has action=None")
    order = Order(
        quantity=None if quantity is None else Quantity(value=Decimal(quantity), unit=Unit.BASE),
        price=None if price is None else Decimal(price),
    )
    trade = Trade(action=Action(action), effect=Effect.UNKNOWN, instrument=instrument, order=order, message=message)
    return envelopes.TRADE, envelopes.body(TradeSchema, trade)


def _alert(message: str | None, instrument: Instrument | None) -> tuple[str, Mapping[str, Any]]:
    return envelopes.ALERT, envelopes.body(AlertSchema, Alert(message=message, instrument=instrument))


def _prediction(said: Mapping[str, Any], instrument: Instrument | None) -> tuple[str, Mapping[str, Any]]:
    if instrument is None:
        raise ValueError("a prediction has a pair")
    prediction: Prediction = load(PredictionSchema, {"model": {"name": "test"}, "instrument": wire(instrument), **said})
    return envelopes.PREDICTION, envelopes.body(PredictionSchema, prediction)


def topic_of(listener: SignalListener, envelope: Envelope) -> str:
    """Where the gateway would publish a signal."""
    return listener.settings.topics.signal(
        SignalTopic(
            body=_BODIES.get(envelope.type, TRADE),
            source=envelope.source.removeprefix("/sources/"),
            instrument=envelope.subject or "-",
            test=envelope.mode is Mode.TEST,
        )
    )


class Rig:
    """A listener that runs on a fake broker."""

    def __init__(self, listener: SignalListener, broker: FakeBroker) -> None:
        self.listener, self.broker = listener, broker

    def send(self, envelope: Envelope) -> None:
        """Publish a signal, as the gateway would.

        Raises:
            LookupError: the bot does not listen to its topic.
        """
        topic = topic_of(self.listener, envelope)
        if self.broker.publish(topic, envelopes.encode(envelope)) != 0:
            raise LookupError(f"no handler of the bot listens to {topic}")

    def receipts(self, signal: str | None = None) -> list[Receipt]:
        """The receipts that the bot has sent, of one signal or of all, in order."""
        found = [load(ReceiptSchema, envelope.data) for envelope in self._sent()]
        return [receipt for receipt in found if signal in {None, receipt.signal}]

    def confirm(self, signal: str) -> None:
        """Say, as the gateway would, that the receipts of a signal are on its disk."""
        ids = tuple(envelope.id for envelope in self._sent() if envelope.subject == signal)
        confirmation = Envelope(
            id=str(uuid.uuid4()),
            source="/gateways/test",
            type=envelopes.RECEIPTED,
            time=from_micros(self.listener.now()),
            dataschema=envelopes.schema_urn(envelopes.RECEIPTED),
            data=envelopes.body(ReceiptedSchema, Receipted(receipts=ids)),
        )
        settings = self.listener.settings
        self.broker.publish(settings.topics.receipted(settings.bot), envelopes.encode(confirmation))

    async def command(
        self,
        name: str,
        data: Mapping[str, Any] | None = None,
        *,
        timeout: float = 5.0,  # noqa: ASYNC109
        **header: Any,
    ) -> Reply:
        """Send a remote command, as a third party would, and wait for the reply.

        Args:
            name: what follows the bot in the topic: ``stop``, ``balance/limit``, ``command/rebalance``.
            data: its parameters.
            timeout: seconds.
            **header: of the request: ``msg_id``, ``sender``, ``deadline`` (microseconds since the epoch).

        Raises:
            TimeoutError: there was no reply in time.
        """
        topics, bot = self.listener.settings.topics, self.listener.settings.bot
        header.setdefault("reply_to", topics.reply(bot, "test", uuid.uuid4().hex))
        payload = write_request(Request(data=data or {}, **header))
        async with asyncio.timeout(timeout):
            earlier = len(self.replies(header["reply_to"]))
            while self.broker.publish(topics.command(bot, name), payload) != 0:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            while len(self.replies(header["reply_to"])) == earlier:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        return self.replies(header["reply_to"])[-1]

    def replies(self, reply_to: str) -> list[Reply]:
        """The replies that the bot has sent on a topic."""
        return [read_reply(message.payload) for message in self.broker.published if message.topic == reply_to]

    def _sent(self) -> list[Envelope]:
        topic = self.listener.settings.topics.receipt(self.listener.settings.bot)
        return [envelopes.decode(message.payload) for message in self.broker.published if message.topic == topic]

    async def settled(self, signal: str, *, handlers: int = 1, timeout: float = 5.0) -> list[Receipt]:  # noqa: ASYNC109
        """Wait for the last receipts of a signal, one for each handler.

        Raises:
            TimeoutError: there were not as many in time (seconds).
        """
        async with asyncio.timeout(timeout):
            while sum(receipt.stage.final for receipt in self.receipts(signal)) < handlers:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        return self.receipts(signal)


@contextlib.asynccontextmanager
async def running(listener: SignalListener, *, broker: FakeBroker | None = None) -> AsyncIterator[Rig]:
    """Run a listener on a fake broker while the block lasts; with a MemoryInbox, unless it was given another."""
    if listener.inbox is None:
        listener.inbox = MemoryInbox(monotonic=listener.monotonic)
    rig = Rig(listener, broker or FakeBroker())
    task = asyncio.create_task(listener.run(connect=rig.broker.link, claim=False), name="bot_plugin.testing")
    connected = asyncio.create_task(listener.wait_connected())
    try:
        await asyncio.wait({task, connected}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            yield rig
    finally:
        connected.cancel()
        listener.stop()
        await asyncio.wait({task})
    if not task.cancelled():
        task.result()


async def deliver(listener: SignalListener, *, handlers: int = 1, **signal: Any) -> list[Receipt]:
    """Run the listener's handlers for one signal, built from keyword arguments (see ``build``), and get the receipts.

    Args:
        listener: the bot.
        handlers: how many handlers the signal is for.
        **signal: arguments of ``build``.

    Raises:
        LookupError: the bot does not listen to such a signal.
        TimeoutError: a handler did not end within 5 s. A queued one ends when the strategy takes it: see ``running``.
    """
    async with running(listener) as rig:
        envelope = build(listener, **signal)
        rig.send(envelope)
        return await rig.settled(envelope.id, handlers=handlers)


__all__ = ["FakeBroker", "FakeLink", "Rig", "build", "deliver", "running", "topic_of"]
