"""amqtt's broker with strict rules of its own for who gets what, and without its queue that nothing bounds.

amqtt 0.12.1 sends a client that connects every retained message that anybody's filter matches, and acknowledges
messages faster than it hands them over. Here a retained message follows the subscription that asked for it, and a
message is handed over in the turn of the event loop in which it is looked at.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import Future, Task
from collections import Counter
from functools import partial
from typing import Any

from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.broker import Broker, RetainedApplicationMessage
from amqtt.contexts import Action, BrokerConfig
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import Session

from gateway.mqtt.embedded_plugins import VISITOR, Guard
from gateway.mqtt.filters import matches
from gateway.mqtt.kept import Allotment, Kept

_log = logging.getLogger(__name__)

_CONNECTED = "connected"
_DENIED = 0x80
_QOS = 1
"""The highest that is served: with QoS 2 a client could leave any number of messages unfinished here."""

_RETAINED, _RETAINED_BYTES, _ALL_RETAINED_BYTES = 16, 65_536, 4_194_304
"""A login needs one retained message, its card of about 1 KB."""

_ABSENT = 8
"""Sessions that are kept for the absent clients of a login."""

_FILTERS, _LONGEST_FILTER = 256, 512
"""Filters of one login, and characters of a filter: every message is compared with every filter."""

_UNACKNOWLEDGED, _OWNERS_UNACKNOWLEDGED = 16_777_216, 100_663_296
"""Bytes that are on their way to a login; the owner has up to 256 receipts from each of 64 bots."""

_EACH = 4096
"""Bytes that a message on its way costs beside its payload: a task, a timer, three packets."""


class StrictBroker(Broker):
    """Hands a message to those who subscribed to it and may receive it, and to nobody else.

    Args:
        guard: asked for each topic.
        owner: the login whose retained messages are not bounded.
    """

    def __init__(self, config: BrokerConfig, *, guard: Guard, owner: str) -> None:
        super().__init__(config)
        self._guard = guard
        self._owner = owner
        self._sending: set[Task[Any]] = set()
        self._unacknowledged: Counter[str] = Counter()
        self._allotment = Allotment(most=_RETAINED, most_bytes=_RETAINED_BYTES, total_bytes=_ALL_RETAINED_BYTES)

    async def shutdown(self) -> None:
        """End every session, and what is still being sent."""
        await super().shutdown()
        for task in self._sending:
            task.cancel()

    async def _initialize_client_session(
        self, reader: ReaderAdapter, writer: WriterAdapter, remote_address: str, remote_port: int
    ) -> tuple[BrokerProtocolHandler, Session]:
        handler, session = await super()._initialize_client_session(reader, writer, remote_address, remote_port)
        VISITOR.get().handler = handler
        if not session.clean_session:
            await self._forget_the_longest_absent(session)
        return handler, session

    async def _forget_the_longest_absent(self, arriving: Session) -> None:
        absent = [
            session
            for session, _ in self._sessions.values()
            if session.username == arriving.username
            and session.transitions.state != _CONNECTED
            and not session.clean_session
            and session is not arriving
        ]
        absent.sort(key=lambda session: session.last_disconnect_time or 0)
        for session in absent[: max(0, len(absent) + 1 - _ABSENT)]:
            await self._delete_session(session.client_id or "")

    async def _topic_filtering(self, session: Session, topic: str, action: Action) -> bool:
        return self._guard.allows(session.username, topic, action)

    async def _handle_message_delivery(
        self, client_session: Session, handler: BrokerProtocolHandler, wait_deliver: Future[Any]
    ) -> bool:
        """Look at all messages that wait: with one for each turn of the loop, a busy loop would starve the broker."""
        received = client_session.delivered_message_queue
        while await super()._handle_message_delivery(client_session, handler, wait_deliver):
            if received.empty():
                return True
            wait_deliver = asyncio.get_running_loop().create_future()
            wait_deliver.set_result(received.get_nowait())
        return False

    async def _broadcast_message(
        self,
        session: Session | None,
        topic: str | None,
        data: bytes | bytearray | None,
        force_qos: int | None = None,
    ) -> None:
        if topic is None or data is None:
            return
        message = {"session": session, "topic": topic, "data": data}
        targets = [
            (target, granted if force_qos is None else min(force_qos, _QOS))
            for topic_filter, subscribers in self._subscriptions.items()
            if matches(topic_filter, topic)
            for target, granted in subscribers
            if self._guard.allows(target.username, topic, Action.RECEIVE)
        ]
        for target, qos in targets:
            # what was kept while a client was away goes first
            if target.transitions.state == _CONNECTED and target.retained_messages.empty():
                self._send(target, topic, data, qos=qos, retain=False, by=session)
            elif qos and not target.clean_session:
                await self._retain_broadcast_message(message, qos, target)

    async def _publish_session_retained_messages(self, session: Session) -> None:
        """Hand over what was kept and is still true, as what it is: new messages, not retained ones."""
        queue = session.retained_messages
        assert isinstance(queue, Kept), "the guard puts one there"
        for kept in queue.take():
            self._send(session, kept.topic, kept.data, qos=kept.qos, retain=False)

    async def retain_message(
        self,
        source_session: Session | None,
        topic_name: str | None,
        data: bytes | bytearray | None,
        qos: int | None = None,
    ) -> None:
        """Retain a message, or none where the login has its share already."""
        username, topic = (source_session and source_session.username) or "", topic_name or ""
        if not data:
            self._allotment.release(topic)
        elif not self._allotment.take(username, topic, data, bounded=username != self._owner):
            self._guard.report(username, "retains as much as it may; the broker did not retain %r", topic)
            return
        await super().retain_message(None, topic_name, data, qos)

    async def add_subscription(self, subscription: tuple[str, int], session: Session) -> int:
        """Subscribe a client to a filter, where it may and its login has not too many."""
        topic_filter, qos = subscription
        held = sum(
            target.username == session.username
            for other, targets in self._subscriptions.items()
            for target, _ in targets
            if other != topic_filter or target is not session
        )
        if held >= _FILTERS or len(topic_filter) > _LONGEST_FILTER:
            self._guard.report(session.username or "", "has too many filters or too long ones; denied %r", topic_filter)
            return _DENIED
        return await super().add_subscription((topic_filter, min(qos, _QOS)), session)

    async def _handle_unsubscription(
        self, client_session: Session, handler: BrokerProtocolHandler, unsubscribe_waiter: Future[Any]
    ) -> None:
        await super()._handle_unsubscription(client_session, handler, unsubscribe_waiter)
        for topic_filter in unsubscribe_waiter.result().topics:
            if not self._subscriptions.get(topic_filter, True):
                del self._subscriptions[topic_filter]  # amqtt would keep the empty list for ever

    async def _handle_subscription(
        self, client_session: Session, handler: BrokerProtocolHandler, subscribe_waiter: Future[Any]
    ) -> None:
        await super()._handle_subscription(client_session, handler, subscribe_waiter)
        for topic_filter, qos in subscribe_waiter.result().topics:
            if any(held is client_session for held, _ in self._subscriptions.get(topic_filter, ())):
                self._send_retained(client_session, topic_filter, qos)

    async def _publish_retained_messages_for_subscription(self, _: tuple[str, int], session: Session) -> None:
        """Nothing: amqtt calls it for the filters of others, too; ``_handle_subscription`` has what is asked for."""

    def _send_retained(self, session: Session, topic_filter: str, qos: int) -> None:
        for topic, retained in self._retained_messages.items():
            if matches(topic_filter, topic) and self._guard.allows(session.username, topic, Action.RECEIVE):
                self._send(session, topic, retained.data, qos=min(qos, _qos(retained, qos)), retain=True)

    def _send(
        self,
        session: Session,
        topic: str,
        data: bytes | bytearray,
        *,
        qos: int,
        retain: bool,
        by: Session | None = None,
    ) -> None:
        handler, username = self._get_handler(session), session.username or ""
        if handler is None:
            return
        cost = len(data) + _EACH
        most = _OWNERS_UNACKNOWLEDGED if username == self._owner else _UNACKNOWLEDGED
        if self._unacknowledged[username] + cost > most:
            self._guard.report(username, "acknowledges too slowly; it missed a message on %r", topic)
            return
        author = (by and by.username) or self._owner  # who is never held back
        self._unacknowledged[username] += cost
        if author != self._owner:
            self._guard.under_way[author] += cost
        task = asyncio.get_running_loop().create_task(handler.mqtt_publish(topic, data, qos, retain=retain))
        self._sending.add(task)
        task.add_done_callback(partial(self._sent, username, author, cost))

    def _sent(self, username: str, author: str, cost: int, task: Task[Any]) -> None:
        self._unacknowledged[username] -= cost
        if author != self._owner:
            self._guard.under_way[author] -= cost
        self._sending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.debug("a message to a client was given up: %s", error)


def _qos(retained: RetainedApplicationMessage, default: int) -> int:
    return default if retained.qos is None else int(retained.qos)
