"""What amqtt asks before it does something: logins were checked before, topics are checked here, the rest is denied."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from gateway.mqtt.permissions import Permissions

_log = logging.getLogger(__name__)

_REMEMBERED_DENIALS = 1000


@dataclass(slots=True)
class Visitor:
    """A client that showed its password; amqtt adds its session."""

    username: str
    permissions: Permissions
    session: Session | None = None

    @property
    def unserved(self) -> int:
        """How many of its messages wait to be looked at."""
        return 0 if self.session is None else self.session.delivered_message_queue.qsize()


VISITOR: ContextVar[Visitor] = ContextVar("visitor")
"""The client on whose connection the current task works; amqtt's plugins are not told otherwise."""


@dataclass(slots=True)
class Guard:
    """What each user may do, as of the last login.

    Args:
        most_queued: messages that are kept for an absent client; further ones are dropped, and the oldest kept, so
            that what is delivered later is in order.
    """

    most_queued: int
    permissions: dict[str, Permissions] = field(default_factory=dict)
    _denied: set[tuple[str, str]] = field(default_factory=set)

    def admit(self, session: Session) -> bool:
        """Take a session that amqtt made, or found, for the visitor."""
        visitor = VISITOR.get(None)
        if visitor is None or visitor.username != session.username:
            return False
        visitor.session = session
        self.permissions[visitor.username] = visitor.permissions
        if not isinstance(session.retained_messages, _Kept):
            session.retained_messages = _Kept(self.most_queued)
        return True

    def allows(self, username: str | None, topic: str, action: Action) -> bool:
        """Whether a user may publish to a topic, receive from it, or subscribe to a filter."""
        permissions = self.permissions.get(username or "")
        if permissions is None:
            return False
        if action is Action.RECEIVE:
            return permissions.may_receive(topic)
        allowed = permissions.may_publish(topic) if action is Action.PUBLISH else permissions.may_subscribe(topic)
        if not allowed:
            self._report(username or "", topic, action)
        return allowed

    def _report(self, username: str, topic: str, action: Action) -> None:
        """Log a denial once: MQTT 3.1.1 cannot tell a publisher, and it may try again all day."""
        if (username, topic) in self._denied:
            return
        if len(self._denied) >= _REMEMBERED_DENIALS:
            self._denied.clear()
        self._denied.add((username, topic))
        _log.warning("user %r may not %s to %r; the broker ignored it", username, action.value, topic)


class _Kept(asyncio.Queue[Any]):
    """A queue that drops what does not fit."""

    async def put(self, item: Any) -> None:
        if not self.full():
            self.put_nowait(item)


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
