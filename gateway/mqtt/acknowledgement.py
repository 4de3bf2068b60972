"""What gmqtt knows of PUBACKs but does not tell: the future of each publish, and the broker's reason code.

gmqtt offers its storage of unacknowledged messages as a hook; the reason code needs one private override, and so does
to acknowledge a message when a future is done: gmqtt would make a task for each.
"""

# gmqtt has no annotations
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Protocol

from gmqtt.mqtt.handler import MqttPackageHandler
from gmqtt.storage import PersistentStorage

from gateway.errors import Misconfigured
from gateway.mqtt.model import Ack, LinkLost
from gateway.mqtt.reasons import read_reason


class Receive(Protocol):
    """Takes a message; it is done with when the future is. It never fails."""

    def __call__(self, topic: str, payload: bytes, *, retained: bool) -> asyncio.Future[None]: ...


_ACCEPTED = Ack()
_BARE_PUBACK = 2
_HOOKS = ("_handle_puback_packet", "_remove_message_from_queue", "_handle_qos_1_publish_packet", "_send_puback")


def require_hooks() -> None:
    """Make sure that this gmqtt can be told apart from one that takes a refusal for success.

    Raises:
        Misconfigured: it has not the method that is overridden here.
    """
    missing = [name for name in _HOOKS if not callable(getattr(MqttPackageHandler, name, None))]
    if missing:
        raise Misconfigured(
            f"gmqtt {version('gmqtt')} has no {missing[0]}, without which a refused message looks delivered;"
            " install the version that this project pins"
        )


def acknowledge_when_done(handler: MqttPackageHandler, receive: Receive) -> None:
    """Hand each message of QoS 1 to ``receive``, and acknowledge it when the future that it returns is done."""

    def handle_publish(mid: int, payload: bytes, topic: str, properties: Any) -> None:
        handled = receive(topic, payload, retained=bool(properties["retain"]))
        handled.add_done_callback(lambda _: handler._send_puback(mid))  # noqa: SLF001

    handler._handle_qos_1_publish_packet = handle_publish  # type: ignore[method-assign]  # noqa: SLF001


class Acknowledgements(PersistentStorage):
    """The publishes in flight on one connection. gmqtt finds it always empty, so it never replays anything.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._in_flight: dict[int, tuple[asyncio.Future[Ack], float]] = {}
        self._read: tuple[int, Ack] | None = None
        self.latest: asyncio.Future[Ack]

    def __bool__(self) -> bool:
        """Always: gmqtt replaces a storage that is false."""
        return True

    def __len__(self) -> int:
        return len(self._in_flight)

    @property
    def oldest(self) -> float | None:
        """When the oldest publish in flight was sent; None where there is none."""
        return next((sent for _, sent in self._in_flight.values()), None)

    def override(self, handler: MqttPackageHandler) -> None:
        """Read each PUBACK before gmqtt does, which drops its reason code."""
        gmqtts_own = handler._handle_puback_packet  # noqa: SLF001 - the override that the version is pinned for

        def handle_puback(cmd: int, packet: bytes) -> None:
            self._read = _puback(packet)
            gmqtts_own(cmd, packet)

        handler._handle_puback_packet = handle_puback  # type: ignore[method-assign]  # noqa: SLF001

    def fail(self, reason: str) -> None:
        """Fail every publish in flight: the connection ended."""
        lost, self._in_flight = self._in_flight, {}
        for future, _ in lost.values():
            if not future.done():
                future.set_exception(LinkLost(reason, alone=len(lost) == 1))
                future.exception()  # a caller that looks away is not an error

    def push_message(self, mid: int, raw_package: bytes) -> None:  # noqa: ARG002
        """Gmqtt sent a publish."""
        self.latest = asyncio.get_running_loop().create_future()
        self._in_flight[mid] = self.latest, self._clock()

    def remove_message_by_mid(self, mid: int) -> None:
        """Gmqtt took a PUBACK; without its reason nobody may call it a success."""
        read, self._read = self._read, None
        future, _ = self._in_flight.pop(mid, (None, 0.0))
        if future is None or future.done():
            return
        if read is None or read[0] != mid:
            future.set_exception(LinkLost(f"gmqtt {version('gmqtt')} hides the reason codes of acknowledgements"))
        else:
            future.set_result(read[1])

    @property
    def is_empty(self) -> bool:
        """Always: nothing is replayed."""
        return True

    async def wait_empty(self) -> None:
        """Return at once: nothing is replayed."""

    def clear(self) -> None:
        """Gmqtt found no session at the broker: nothing was in flight yet."""

    def get_all(self) -> list[tuple[int, bytes]]:
        """Nothing to replay."""
        return []


def _puback(packet: bytes) -> tuple[int, Ack]:
    (mid,) = struct.unpack_from("!H", packet)
    if len(packet) == _BARE_PUBACK:
        return mid, _ACCEPTED
    reason, text = read_reason(packet[2:])
    return mid, Ack(reason, text)
