"""One connection to the broker, from the first byte to its end."""

# gmqtt has no annotations
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gmqtt

from gateway.mqtt.acknowledgement import Acknowledgements, Receive
from gateway.mqtt.client import Client
from gateway.mqtt.model import Ack, LinkLost, LinkSettings, PacketTooLarge, Version
from gateway.mqtt.packet import publish_size
from gateway.mqtt.publishing import Publish
from gateway.mqtt.reasons import SESSION_TAKEN_OVER, in_words, is_permanent, read_reason

_SPARE_PACKET_IDS = 4
"""Of the broker's Receive Maximum: gmqtt counts subscriptions in, and one less than it allows."""

_GOODBYE = 1.0
"""Seconds for the last bytes of a connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a connection ended, or why there was none.

    Args:
        permanent: whether trying again soon is of no use.
        lived: seconds from the CONNACK to the end; 0 where there was none.
    """

    reason: str
    permanent: bool = False
    lived: float = 0.0


class Connection:
    """One connection: opened once, closed once.

    Args:
        receive: gets each message; one of QoS 1 is acknowledged when the future is done.
        on_end: called at the moment at which the connection ends, before any future of it fails.
    """

    def __init__(self, settings: LinkSettings, *, receive: Receive, on_end: Callable[[End], None]) -> None:
        loop = asyncio.get_running_loop()
        self._settings = settings
        self._clock = loop.time
        self._receive = receive
        self._on_end = on_end
        self._acknowledgements = Acknowledgements(clock=loop.time)
        self._client = Client(settings, self._acknowledgements, receive)
        self._client.on_message = self._handle_message
        self._client.on_disconnect = self._handle_disconnect
        self._client.on_subscribe = self._handle_suback
        self._largest: int | None = None
        self._window = 0
        self._opened_at: float | None = None
        self._subscribing: dict[int, Future[list[int]]] = {}
        self._watch: asyncio.TimerHandle | None = None
        self.ended: Future[End] = loop.create_future()

    @property
    def free(self) -> int:
        """How many publishes may be sent now; 0 before it is open and after it ended."""
        return 0 if self.ended.done() else max(0, self._window - len(self._acknowledgements))

    @property
    def certificate_end(self) -> float | None:
        """When the certificate that the broker showed ends, in seconds since the epoch; None without TLS."""
        return self._client.certificate_end

    async def open(self) -> bool:
        """Connect; whether it succeeded: else ``ended`` has the reason."""
        opening: Future[Any] = asyncio.ensure_future(self._client.open())
        timeout = self._settings.connect_timeout
        try:
            await asyncio.wait([opening, self.ended], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            opening.cancel()
            await asyncio.wait({opening})
        if not self.ended.done():
            self._judge(opening)
        return not self.ended.done()

    def _judge(self, opening: Future[None]) -> None:
        refusal = self._client.refusal
        if refusal is not None:
            self._end(_refused(refusal), permanent=is_permanent(refusal))
        elif opening.cancelled():
            self._end(
                f"the broker did not answer within {self._settings.connect_timeout:g} s;"
                f" does it speak MQTT {_spelled(self._settings.version)}?"
            )
        elif (error := opening.exception()) is not None:
            self._end(f"cannot reach the broker: {error}")
        else:
            self._opened_at = self._clock()
            limits = self._client.limits
            self._window = max(1, min(self._settings.window, limits.receive_maximum - _SPARE_PACKET_IDS))
            known = (self._settings.max_packet_size, limits.maximum_packet_size)
            self._largest = min((size for size in known if size is not None), default=None)
            self._watch_acknowledgements()

    def publish(self, topic: str, payload: bytes, *, retain: bool, properties: Mapping[str, Any]) -> Future[Ack]:
        """Send one message with QoS 1.

        Raises:
            LinkLost: the window is full or the connection ended.
            PacketTooLarge: the broker does not accept it.
        """
        if self.free < 1:
            raise LinkLost("not connected" if self.ended.done() else "the window is full")
        told = properties if self._settings.version is Version.V5 else None
        limit = self._largest
        if limit is not None and (size := publish_size(topic, payload, told)) > limit:
            raise PacketTooLarge(size=size, limit=limit)
        try:
            self._client.send(Publish(topic, payload, retain, told))
        except OverflowError:
            raise LinkLost("the window is full") from None
        return self._acknowledgements.latest

    async def subscribe(self, filters: Mapping[str, int]) -> dict[str, int]:
        """Subscribe to filters, each with its QoS; the broker's code for each, 0x80 and more for a refusal.

        Raises:
            LinkLost: the connection ended first, or the broker does not answer within ``ack_timeout``, or for others.
        """
        mid = self._client.subscribe([gmqtt.Subscription(wanted, qos=qos) for wanted, qos in filters.items()])
        granted = self._subscribing[mid] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._settings.ack_timeout):
                codes = await granted
        except TimeoutError:
            self._end(f"the broker did not answer a subscription within {self._settings.ack_timeout:g} s")
            raise LinkLost(self.ended.result().reason) from None
        finally:
            self._subscribing.pop(mid, None)
        if len(codes) != len(filters):
            self._end(f"the broker answered with {len(codes)} codes for {len(filters)} subscriptions")
            raise LinkLost(self.ended.result().reason)
        return dict(zip(filters, codes, strict=True))

    async def close(self) -> None:
        """Say DISCONNECT where the broker still listens, and end the connection in any case."""
        self._end("the gateway closed the connection")
        try:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_GOODBYE):
                    await self._client.disconnect()
        finally:
            self._client.abort()

    def _end(self, reason: str, *, permanent: bool = False) -> None:
        if self.ended.done():
            return
        lived = 0.0 if self._opened_at is None else self._clock() - self._opened_at
        end = End(reason=reason, permanent=permanent, lived=lived)
        self.ended.set_result(end)
        if self._watch is not None:
            self._watch.cancel()
        self._on_end(end)
        self._acknowledgements.fail(reason)
        for granted in self._subscribing.values():
            if not granted.done():
                granted.set_exception(LinkLost(reason))

    def _watch_acknowledgements(self) -> None:
        timeout = self._settings.ack_timeout
        oldest = self._acknowledgements.oldest
        now = self._clock()
        if oldest is not None and now - oldest >= timeout:
            self._end(f"the broker acknowledged nothing for {timeout:g} s")
            self._client.abort()
            return
        due = timeout - (now - oldest) if oldest is not None else timeout
        self._watch = asyncio.get_running_loop().call_later(due, self._watch_acknowledgements)

    def _handle_message(self, _: Client, topic: str, payload: bytes, _qos: int, properties: Any) -> None:
        self._receive(topic, payload, retained=bool(properties["retain"]))  # of QoS 0: those of QoS 1 do not come here

    def _handle_suback(self, _: Client, mid: int, codes: tuple[int, ...], _properties: Any) -> None:
        granted = self._subscribing.get(mid)
        if granted is not None and not granted.done():
            granted.set_result(list(codes))

    def _handle_disconnect(self, _: Client, packet: Any, _error: Any = None) -> None:
        refusal = self._client.refusal
        if refusal is not None:
            self._end(_refused(refusal), permanent=is_permanent(refusal))
        elif isinstance(packet, bytes) and packet:
            code, text = read_reason(packet)
            self._end(f"the broker disconnected: {in_words(code, text=text)}", permanent=code == SESSION_TAKEN_OVER)
        elif self._opened_at is None:
            self._end(
                f"the broker closed the connection without an answer;"
                f" does it speak MQTT {_spelled(self._settings.version)}?"
            )
        else:
            self._end("the connection was closed")


def _refused(code: int) -> str:
    return f"the broker refused the connection: {in_words(code)}"


def _spelled(version: Version) -> str:
    return "5" if version is Version.V5 else "3.1.1"
