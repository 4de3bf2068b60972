"""amqtt's broker with strict rules of its own for who gets what, and without its queue that nothing bounds.

amqtt 0.12.1 sends a client that connects every retained message that anybody's filter matches, and acknowledges
messages faster than it hands them over. Here a retained message follows the subscription that asked for it, and a
message is handed over in the turn of the event loop in which it is looked at.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import Future, Task
from collections.abc import Coroutine
from typing import Any

from amqtt.broker import Broker, RetainedApplicationMessage
from amqtt.contexts import Action, BrokerConfig
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import Session

from gateway.mqtt.embedded_plugins import Guard
from gateway.mqtt.filters import matches

_log = logging.getLogger(__name__)

_CONNECTED = "connected"


class StrictBroker(Broker):
    """Hands a message to those who subscribed to it and may receive it, and to nobody else.

    Args:
        guard: asked for each topic.
    """

    def __init__(self, config: BrokerConfig, *, guard: Guard) -> None:
        super().__init__(config)
        self._guard = guard
        self._sending: set[Task[Any]] = set()

    async def shutdown(self) -> None:
        """End every session, and what is still being sent."""
        await super().shutdown()
        for task in self._sending:
            task.cancel()

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
            (target, granted if force_qos is None else force_qos)
            for topic_filter, subscribers in self._subscriptions.items()
            if matches(topic_filter, topic)
            for target, granted in subscribers
            if self._guard.allows(target.username, topic, Action.RECEIVE)
        ]
        for target, qos in targets:
            # what was kept while a client was away goes first
            if target.transitions.state == _CONNECTED and target.retained_messages.empty():
                self._send(target, topic, data, qos=qos, retain=False)
            elif qos and not target.clean_session:
                await self._retain_broadcast_message(message, qos, target)

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

    def _send(self, session: Session, topic: str, data: bytes | bytearray, *, qos: int, retain: bool) -> None:
        handler = self._get_handler(session)
        if handler is not None:
            self._start(handler.mqtt_publish(topic, data, qos, retain=retain))

    def _start(self, sending: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(sending)
        self._sending.add(task)
        task.add_done_callback(self._sent)

    def _sent(self, task: Task[Any]) -> None:
        self._sending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.debug("a message to a client was given up: %s", error)


def _qos(retained: RetainedApplicationMessage, default: int) -> int:
    return default if retained.qos is None else int(retained.qos)
