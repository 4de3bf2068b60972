"""What a bot, and a gateway, says of itself: retained on its own topic, and its last will."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from marshmallow import fields

from schemas.fields import Choice, Flag, Instant, Name
from schemas.record import Listed, RecordSchema


class Presence(StrEnum):
    """Whether the client is there."""

    ONLINE = "online"
    OFFLINE = "offline"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True, kw_only=True)
class BotCard:
    """A bot's card.

    Args:
        bot: the bot's name.
        presence: online, offline (also the last will), or, never retained, ``claim``: a starting process asks who has
            the name, and one that is alive answers with its card.
        instance: random per process, so that two processes with one name can tell each other apart.
        since: when this process came online, by the bot's clock.
        clock: the bot's clock when the card was written.
        plugin: the plugin's version.
        bodies: the body types that it reads, ``signal.trade.v1``.
        subscriptions: the topic filters that it listens to.
        handlers: the names of its handlers.
        modes: the modes that it runs.
        durable: whether it has a state folder that survives a restart.
        commands: the remote commands that it runs, by what follows the bot in their topics.
        hosts: whether handlers come and go while it runs: what its earlier cards asked for is still for it, for a day.
    """

    bot: str
    presence: Presence
    instance: str
    since: datetime | None = None
    clock: datetime | None = None
    plugin: str | None = None
    bodies: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    handlers: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    durable: bool | None = None
    commands: tuple[str, ...] = ()
    hosts: bool | None = None


class BotCardSchema(RecordSchema):
    """Loads a BotCard."""

    record = BotCard

    bot = Name(required=True)
    presence = Choice(Presence, required=True)
    instance = fields.String(required=True)
    since = Instant()
    clock = Instant()
    plugin = fields.String()
    bodies = Listed(fields.String())
    subscriptions = Listed(fields.String())
    handlers = Listed(fields.String())
    modes = Listed(fields.String())
    durable = Flag()
    commands = Listed(fields.String())
    hosts = Flag()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayCard:
    """A gateway's card on ``{root}/v1/gateway/{instance}``."""

    instance: str
    presence: Presence
    since: datetime | None = None
    version: str | None = None


class GatewayCardSchema(RecordSchema):
    """Loads a GatewayCard."""

    record = GatewayCard

    instance = Name(required=True)
    presence = Choice(Presence, required=True)
    since = Instant()
    version = fields.String()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipted:
    """The receipts, by the ids of their envelopes, that are on the gateway's disk; none to tell the time only."""

    receipts: tuple[str, ...] = ()


class ReceiptedSchema(RecordSchema):
    """Loads a Receipted."""

    record = Receipted

    receipts = Listed(fields.String())
