"""Read what bots publish: cards, what they tell of themselves, and receipts, those sooner that are spelled as usual."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from datetime import datetime

from schemas import telemetry
from schemas.card import BotCard, BotCardSchema
from schemas.envelope import BOT_CARD, RECEIPT, decode
from schemas.errors import ContractError, Fault
from schemas.receipt import Receipt, ReceiptSchema, Stage
from schemas.record import load
from schemas.telemetry import InternalEvent, LogLine, Notification
from schemas.telemetry import Telemetry as Told
from schemas.topics import NamedTopic, TopicError, Topics

_LARGEST = 65_536
"""Bytes of what a bot tells."""

_LONG = {"log": 2_048, "events": 8_192, "notify": 4_096}
"""By channel, bytes of a message that is kept as it is."""

_TEXT = r"[ !#-\[\]-~]"  # printable ASCII that JSON does not escape
_INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"

_PLAIN = re.compile(
    r'\{"specversion":"1\.0"'
    rf',"id":"(?P<id>{_TEXT}{{1,64}})","source":"{_TEXT}{{1,256}}","type":"{re.escape(RECEIPT)}"'
    rf',"time":"(?P<time>{_INSTANT})","subject":"{_TEXT}*","dataschema":"{_TEXT}*"(?:,"causationid":"{_TEXT}*")?'
    r',"datacontenttype":"application/json","data":\{'
    rf'"signal":"(?P<signal>{_TEXT}{{1,64}})","bot":"(?P<bot>[A-Za-z0-9_-]{{1,128}})"'
    rf',"stage":"(?P<stage>[a-z_]+)","at":"(?P<at>{_INSTANT})"(?:,"handler":"(?P<handler>{_TEXT}{{1,256}})")?'
    r'(?:,"duration_ms":(?P<duration>(?:0|[1-9]\d{0,11})\.\d{1,17}))?'
    rf'(?:,"received_at":"(?P<received>{_INSTANT})")?(?:,"started_at":"(?P<started>{_INSTANT})")?'
    r"\}\}",
    re.ASCII,
)


def read_card(topic: str, payload: bytes, *, topics: Topics) -> BotCard:
    """Read a bot's card. A bot speaks for itself alone: by the topic, which the broker guards.

    Raises:
        ContractError, TopicError: the message is no card of the bot that the topic names.
    """
    place = topics.parse(topic)
    envelope = decode(payload)
    card: BotCard = load(BotCardSchema, envelope.data)
    if envelope.type != BOT_CARD or not isinstance(place, NamedTopic) or card.bot != place.name:
        raise TopicError(f"a card of {card.bot!r} on {topic!r}: a bot may write its own card only")
    return card


def read_told(channel: str, topic: str, payload: bytes, *, topics: Topics) -> tuple[str, Told]:
    """Read what a bot tells of itself, and which bot that is.

    Raises:
        ContractError, TopicError: it cannot be read, has more than 64 KiB, or no bot can have the name.
    """
    bot, _ = topics.bot_of(topic)
    if len(payload) > _LARGEST:
        raise ContractError(Fault(where="", problem=f"it has {len(payload)} bytes; {_LARGEST} are read"))
    return bot, telemetry.read(channel, payload)


def shortened(channel: str, told: Told, payload: bytes) -> bytes:
    """What is worth to be kept of a message: of one that is endless how it begins, or what it is."""
    if len(payload) <= _LONG.get(channel, _LARGEST):
        return payload
    match told:
        case LogLine(msg=msg):
            level = told.level if 0 <= told.level <= logging.CRITICAL else 0
            told = replace(told, msg=msg[:500], level=level, level_name=told.level_name[:20], logger=told.logger[:100])
        case Notification(msg=msg):
            told = replace(told, msg=msg[:1000])
        case InternalEvent():
            told = replace(told, type=told.type[:100], data={})
    return telemetry.write(told)


def read(topic: str, payload: bytes, *, topics: Topics) -> tuple[str, Receipt]:
    """Read a receipt and its envelope's id. A bot speaks for itself alone: by the topic, which the broker guards.

    Raises:
        ContractError, TopicError: the message is no receipt of the bot that the topic names.
    """
    id_, receipt = read_plain(payload) or read_any(payload)
    if topic != topics.receipt(receipt.bot):
        raise TopicError(f"a receipt of {receipt.bot!r} on {topic!r}: a bot may send its own receipts only")
    return id_, receipt


def read_any(payload: bytes) -> tuple[str, Receipt]:
    """Read the id and the receipt in any spelling.

    Raises:
        ContractError: the message is no receipt.
    """
    envelope = decode(payload)
    if envelope.type != RECEIPT:
        raise ContractError(Fault(where="type", problem=f"the message is no receipt, {RECEIPT}", found=envelope.type))
    receipt: Receipt = load(ReceiptSchema, envelope.data)
    return envelope.id, receipt


def read_plain(payload: bytes) -> tuple[str, Receipt] | None:
    """Read what ``read_any`` reads, in a fifth of its time, where the plugin's spelling leaves no doubt; else None."""
    match = _PLAIN.fullmatch(payload.decode("latin-1"))
    if match is None:
        return None
    id_, time, signal, bot, stage, at, handler, duration, received, started = match.groups()
    try:
        datetime.fromisoformat(time)
        return id_, Receipt(
            signal=signal,
            bot=bot,
            stage=Stage(stage),
            at=datetime.fromisoformat(at),
            handler=handler,
            duration_ms=None if duration is None else float(duration),
            received_at=None if received is None else datetime.fromisoformat(received),
            started_at=None if started is None else datetime.fromisoformat(started),
        )
    except ValueError:  # no such day, hour or stage: the contract's reader says it in its own words
        return None
