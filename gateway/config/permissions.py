"""What a login may publish and subscribe: the one place that every broker's rules are made from."""

from __future__ import annotations

from gateway.mqtt.permissions import Permissions
from schemas.topics import TELEMETRY, VERSION, Topics

BODIES = ("trade", "alert", "prediction")


def permissions(bot: str, sources: tuple[str, ...], topics: Topics) -> Permissions:
    """A bot's permissions as topic filters.

    Args:
        bot: the bot's name.
        sources: the sources whose signals it may read; empty for all.
        topics: the topic tree.
    """
    own = f"{topics.namespace}/{bot}"
    signals = [
        topics.signal_filter(body, source, test=test)
        for test in (False, True)
        for body in BODIES
        for source in sources or ("+",)
    ]
    return Permissions(
        publish=(
            topics.receipt(bot),
            topics.bot(bot),
            f"{topics.root}/{VERSION}/reply/{bot}/#",
            *(f"{own}/{channel}" for channel in TELEMETRY),
        ),
        subscribe=(*signals, topics.receipted(bot), topics.bot(bot), f"{own}/#"),
    )


def gateway_permissions(topics: Topics) -> Permissions:
    """The gateway's own permissions as topic filters."""
    bots = f"{topics.namespace}/+"
    return Permissions(
        publish=(
            f"{topics.root}/{VERSION}/#",
            f"{topics.root}-test/{VERSION}/#",
            f"{bots}/external/event/#",
            f"{topics.namespace}/predictions/+/ML_SIGNALS",
        ),
        subscribe=(
            topics.every("receipt"),
            topics.every("bot"),
            topics.every("gateway"),
            *(f"{bots}/{channel}" for channel in TELEMETRY),
        ),
    )
