"""Every topic of version 1: who publishes on it, what, and how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from schemas import envelope as e
from schemas.command import Command
from schemas.topics import TELEMETRY, Topics

SEND, RECEIVE = "send", "receive"

PARAMETERS = {
    "source": "A source's name in the gateway's configuration.",
    "instrument": "`BTC-USDT`, `BTC-USDT-PERP`, `BTC-USDT-261225`, else the encoded ticker; `-` where none is known.",
    "bot": "A bot's name.",
    "instance": "A gateway's name.",
    "client": "Who calls.",
    "call": "128 random bits, so that no other can guess it.",
    "command": "A command of the bot's own.",
    "pair": "A pair as Hummingbot has it here: `btc_usdt`.",
    "event": "The external event's name; dots become more segments.",
}
"""What stands in a topic where a name in braces is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A topic, and what comes on it.

    Args:
        name: by which the document knows it.
        topic: with its parameters in braces.
        action: what the gateway does: ``send`` or ``receive``.
        messages: types of envelopes, or names of schemas.
        summary: one sentence.
        retain: whether the broker keeps the latest message.
        reply: whether what is sent is answered, on the topic that it names.
    """

    name: str
    topic: str
    action: str
    messages: tuple[str, ...]
    summary: str
    retain: bool = False
    reply: bool = False


def channels(topics: Topics) -> Iterator[Channel]:
    """Every channel, below the tree's root and namespace."""
    yield from _signals(topics)
    yield from _named(topics)
    yield from _commands(topics)
    yield from _told(topics)


def _signals(topics: Topics) -> Iterator[Channel]:
    bodies = {
        "trade": (e.TRADE, "A trade signal"),
        "prediction": (e.PREDICTION, "A model's prediction"),
        "alert": (e.ALERT, "An alert that names no trade"),
    }
    for body, (type_, summary) in bodies.items():
        for test in (False, True):
            yield Channel(
                name=f"{body}{'-test' if test else ''}",
                topic=_fill(topics.signal_filter(body, test=test), "source", "instrument"),
                action=SEND,
                messages=(type_, e.WITHDRAW),
                summary=f"{summary}{' of a source in mode test' if test else ''}, or its withdrawal.",
            )


def _named(topics: Topics) -> Iterator[Channel]:
    yield Channel(
        name="receipt",
        topic=_fill(topics.every("receipt"), "bot"),
        action=RECEIVE,
        messages=(e.RECEIPT,),
        summary="What became of a signal at a bot.",
    )
    yield Channel(
        name="receipted",
        topic=_fill(topics.every("receipted"), "bot"),
        action=SEND,
        messages=(e.RECEIPTED,),
        summary="Which receipts are on the gateway's disk.",
    )
    yield Channel(
        name="bot",
        topic=_fill(topics.every("bot"), "bot"),
        action=RECEIVE,
        messages=(e.BOT_CARD,),
        summary="A bot's card; also its last will.",
        retain=True,
    )
    yield Channel(
        name="gateway",
        topic=_fill(topics.every("gateway"), "instance"),
        action=SEND,
        messages=(e.GATEWAY_CARD,),
        summary="A gateway's card; also its last will.",
        retain=True,
    )


def _commands(topics: Topics) -> Iterator[Channel]:
    for command in (*Command, "command/NAME"):
        own = command not in set(Command)
        words = command.count("/") + 1
        topic = _set(topics.command("BOT", command), -words - 1, "bot")
        name = command.replace("/", "-")
        yield Channel(
            name="command" if own else f"command-{name}",
            topic=_set(topic, -1, "command") if own else topic,
            action=SEND,
            messages=("command.request" if own else f"command.{name}",),
            summary="A command of the bot's own." if own else f"The command `{command}`.",
            reply=True,
        )
    reply = topics.reply("BOT", "CLIENT", "CALL")
    yield Channel(
        name="reply",
        topic=_set(_set(_set(reply, -1, "call"), -2, "client"), -3, "bot"),
        action=RECEIVE,
        messages=("command.reply",),
        summary="The reply to one call.",
    )


def _told(topics: Topics) -> Iterator[Channel]:
    for channel in TELEMETRY:
        yield Channel(
            name=f"telemetry-{channel}",
            topic=_fill(topics.every_telemetry(channel), "bot"),
            action=RECEIVE,
            messages=(f"telemetry.{channel}",),
            summary=f"What a bot tells on `{channel}`.",
        )
    event = topics.external_event("BOT", "EVENT")
    yield Channel(
        name="external-event",
        topic=_set(_set(event, -1, "event"), -4, "bot"),
        action=SEND,
        messages=("hummingbot.external_event",),
        summary="A signal for a stock Hummingbot bot, published once.",
    )
    yield Channel(
        name="ml-signals",
        topic=_set(topics.ml_signals("PAIR"), -2, "pair"),
        action=SEND,
        messages=("hummingbot.ml_signals",),
        summary="The prediction in force for a pair, or a neutral one, said again and again.",
    )


def _fill(topic_filter: str, *names: str) -> str:
    for name in names:
        topic_filter = topic_filter.replace("+", f"{{{name}}}", 1)
    return topic_filter


def _set(topic: str, place: int, name: str) -> str:
    segments = topic.split("/")
    segments[place] = f"{{{name}}}"
    return "/".join(segments)
