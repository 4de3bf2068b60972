"""What a login may publish and subscribe: the one place that every broker's rules are made from."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.clients import Client
from gateway.mqtt.permissions import Permissions
from gateway.roles import Role
from schemas.command import Command
from schemas.topics import TELEMETRY, VERSION, Topics

BODIES = ("trade", "alert", "prediction")

LEGACY_REPLIES = ("+", "hummingbot-api/response/+")
"""Where commlib-py (``rpc-`` and 32 digits) and hummingbot-api want replies: no filter says the first more narrowly."""


def permissions(bot: str, sources: tuple[str, ...], topics: Topics) -> Permissions:
    """A bot's permissions as topic filters.

    Args:
        bot: the bot's name.
        sources: the sources whose signals it may read; empty for all.
        topics: the topic tree.
    """
    own = f"{topics.namespace}/{bot}"
    return Permissions(
        publish=(
            topics.receipt(bot),
            topics.bot(bot),
            f"{topics.root}/{VERSION}/reply/{bot}/#",
            *(f"{own}/{channel}" for channel in TELEMETRY),
            *LEGACY_REPLIES,
        ),
        subscribe=(
            *_signals(topics, sources),
            *(() if sources else (topics.every_ml_signals,)),
            topics.receipted(bot),
            topics.bot(bot),
            f"{own}/#",
        ),
    )


def gateway_permissions(topics: Topics) -> Permissions:
    """The gateway's own permissions as topic filters."""
    bots = f"{topics.namespace}/+"
    return Permissions(
        publish=(
            f"{topics.root}/{VERSION}/#",
            f"{topics.root}-test/{VERSION}/#",
            f"{bots}/external/event/#",
            topics.every_ml_signals,
            *_commands(topics, "+"),
        ),
        subscribe=(
            topics.every("receipt"),
            topics.every("bot"),
            topics.every("gateway"),
            topics.replies("gateway"),
            topics.doctor(),
            topics.every_ml_signals,
            *(f"{bots}/{channel}" for channel in TELEMETRY),
        ),
    )


def client_permissions(client: Client, topics: Topics) -> Permissions:
    """A client's permissions as topic filters: what its bots tell and replies to itself; commands for an operator."""
    bots, role = client.bots or ("+",), client.role
    return Permissions(
        publish=tuple(topic for bot in bots for topic in _commands(topics, bot) if role.includes(Role.OPERATOR)),
        subscribe=(
            *(topic for bot in bots for topic in _told(topics, bot)),
            topics.every("gateway"),
            topics.replies(client.name),
            *(_signals(topics) if role.includes(Role.ADMIN) else ()),
            *(LEGACY_REPLIES if client.legacy else ()),
        ),
    )


def _signals(topics: Topics, sources: tuple[str, ...] = ()) -> Iterator[str]:
    """Where the signals of these sources are, or of all."""
    for test in (False, True):
        for body in BODIES:
            yield from (topics.signal_filter(body, source, test=test) for source in sources or ("+",))


def _commands(topics: Topics, bot: str) -> Iterator[str]:
    """Where a bot, or ``+``, listens for commands."""
    yield from (f"{topics.namespace}/{bot}/{command}" for command in (*Command, "command/+"))


def _told(topics: Topics, bot: str) -> Iterator[str]:
    """Where a bot, or ``+``, tells of itself and of signals."""
    yield from (f"{topics.root}/{VERSION}/{kind}/{bot}" for kind in ("bot", "receipt"))
    yield from (f"{topics.namespace}/{bot}/{channel}" for channel in TELEMETRY)
