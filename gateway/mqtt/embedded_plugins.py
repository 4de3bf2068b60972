"""What amqtt asks before it does something: logins were checked before, topics are checked here, the rest is denied."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass, field

from amqtt.contexts import Action
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from gateway.mqtt.kept import Kept
from gateway.mqtt.permissions import Permissions

_log = logging.getLogger(__name__)

_RECENT_TOPICS = 1024
_DENIALS = 100
"""That are logged of one login; it may go on all day."""

_LEGIBLE = 200
_UNSERVED = 256
_UNDER_WAY = 2_097_152
"""Bytes, with what each message costs: some 400 receipts that the gateway has not acknowledged."""

_POLL = 0.002
_SUBSCRIPTION = 32
"""As many messages a list of filters counts for."""


@dataclass(slots=True)
class Visitor:
    """A client that showed its password; amqtt adds its session and what handles its packets."""

    username: str
    permissions: Permissions
    under_way: Counter[str] = field(default_factory=Counter)
    session: Session | None = None
    handler: BrokerProtocolHandler | None = None

    @property
    def unserved(self) -> int:
        """How many of its messages wait to be looked at."""
        if self.session is None or self.handler is None:
            return 0
        lists = self.handler._pending_subscriptions.qsize() + self.handler._pending_unsubscriptions.qsize()  # noqa: SLF001
        return self.session.delivered_message_queue.qsize() + _SUBSCRIPTION * lists

    async def served(self) -> None:
        """Return when so few of its messages wait, here and for those who get them, that it may be read again."""
        while self.unserved > _UNSERVED or self.under_way[self.username] > _UNDER_WAY:  # noqa: ASYNC110 - amqtt tells nobody
            await asyncio.sleep(_POLL)


VISITOR: ContextVar[Visitor] = ContextVar("visitor")
"""The client on whose connection the current task works; amqtt's plugins are not told otherwise."""


@dataclass(slots=True)
class Guard:
    """What each user may do, as of the last login.

    Args:
        most_queued: messages that are kept for an absent client.
        most_queued_bytes: what they may have together.
    """

    most_queued: int
    most_queued_bytes: int
    permissions: dict[str, Permissions] = field(default_factory=dict)
    under_way: Counter[str] = field(default_factory=Counter)
    """Bytes of each login's messages that somebody has still to acknowledge."""

    _denied: dict[str, set[str]] = field(default_factory=dict)
    _may_receive: dict[tuple[str, str], bool] = field(default_factory=dict)

    def admit(self, session: Session) -> bool:
        """Take a session that amqtt made, or found, for the visitor."""
        visitor = VISITOR.get(None)
        if visitor is None or visitor.username != session.username:
            return False
        visitor.session = session
        self.permissions[visitor.username] = visitor.permissions
        self._may_receive.clear()
        if not isinstance(session.retained_messages, Kept):
            most = 0 if _is_sent_again(session) else self.most_queued
            session.retained_messages = Kept(most=most, most_bytes=self.most_queued_bytes)
        return True

    def allows(self, username: str | None, topic: str, action: Action) -> bool:
        """Whether a user may publish to a topic, receive from it, or subscribe to a filter."""
        if action is Action.RECEIVE:
            return self._receives(username or "", topic)
        permissions = self.permissions.get(username or "")
        if permissions is None:
            return False
        allowed = permissions.may_publish(topic) if action is Action.PUBLISH else permissions.may_subscribe(topic)
        if not allowed:
            self.report(username or "", f"may not {action.value} to %r; the broker ignored it", topic)
        return allowed

    def _receives(self, username: str, topic: str) -> bool:
        """Asked twice for each message to each client, so the answers for recent topics are remembered."""
        known = self._may_receive.get((username, topic))
        if known is None:
            permissions = self.permissions.get(username)
            known = permissions is not None and permissions.may_receive(topic)
            if len(self._may_receive) >= _RECENT_TOPICS:
                self._may_receive.clear()
            self._may_receive[username, topic] = known
        return known

    def forget(self, username: str) -> None:
        """A login may do nothing any more, until it comes again."""
        self.permissions.pop(username, None)
        self._may_receive.clear()
        self._denied.pop(username, None)

    def report(self, username: str, denial: str, topic: str) -> None:
        """Log a denial once, and not without end: MQTT 3.1.1 cannot tell the client, and it may try again all day."""
        denied, text = self._denied.setdefault(username, set()), denial % topic[:_LEGIBLE]
        if text not in denied and len(denied) < _DENIALS:
            denied.add(text)
            _log.warning("user %r %s", username, text)


def _is_sent_again(session: Session) -> bool:
    """Whether it is a plugin's connection for signals: the gateway sends it again, in order, what it has not receipted.

    What was kept would come before what amqtt lost with the connection, which is older, and a bot waits two seconds.
    """
    return str(session.client_id).endswith(f".{session.username}.sig")


@dataclass
class GuardConfig:
    """How amqtt hands the guard to its plugins."""

    guard: Guard | None = None


class LoginPlugin(BaseAuthPlugin):
    """Admits whom the embedded broker let through, and nobody else."""

    Config = GuardConfig  # type: ignore[assignment]

    async def authenticate(self, *, session: Session) -> bool:
        """Whether the session belongs to a client that logged in."""
        guard: Guard = self.config.guard
        return guard.admit(session)


class TopicPlugin(BaseTopicPlugin):
    """Denies every topic that no permission allows, to whatever in amqtt does not ask the guard itself."""

    Config = GuardConfig  # type: ignore[assignment]

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        """Whether the session's user may do this."""
        if session is None or topic is None or action is None:
            return False
        guard: Guard = self.config.guard
        return guard.allows(session.username, topic, action)
