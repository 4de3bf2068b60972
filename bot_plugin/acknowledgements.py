"""What gmqtt knows of PUBACKs but does not tell: the future of each publish, and the broker's reason code."""

from __future__ import annotations

import asyncio
from asyncio import Future

from bot_plugin.errors import LinkLost


class Acknowledgements:
    """gmqtt's public hook for what is in flight, turned into one future per publish."""

    def __init__(self) -> None:
        self._futures: dict[int, Future[int]] = {}
        self._sent: dict[int, float] = {}
        self._reasons: dict[int, int] = {}
        self._loop = asyncio.get_running_loop()

    def __bool__(self) -> bool:
        return True

    @property
    def in_flight(self) -> int:
        """How many publishes wait for their PUBACK."""
        return len(self._futures)

    def push_message(self, mid: int, raw_package: bytes) -> None:  # noqa: ARG002
        self._futures[mid] = self._newest = self._loop.create_future()
        self._sent[mid] = self._loop.time()

    @property
    def longest_wait(self) -> float:
        """Seconds since the oldest publish in flight was sent; 0 where none is."""
        return self._loop.time() - next(iter(self._sent.values())) if self._sent else 0.0

    @property
    def newest(self) -> Future[int]:
        """The future of the publish that was sent last."""
        return self._newest

    def reason(self, mid: int, code: int) -> None:
        """Note a PUBACK's reason code; ``remove_message_by_mid`` follows at once."""
        self._reasons[mid] = code

    def remove_message_by_mid(self, mid: int) -> None:
        future = self._futures.pop(mid, None)
        self._sent.pop(mid, None)
        code = self._reasons.pop(mid, 0)
        if future is not None and not future.done():
            future.set_result(code)

    @property
    def is_empty(self) -> bool:
        return True

    async def wait_empty(self) -> None:
        return

    def clear(self) -> None:
        self.fail("the broker lost the session")

    def fail(self, problem: str) -> None:
        """End every publish in flight with LinkLost."""
        futures, self._futures = self._futures, {}
        self._sent.clear()
        for future in futures.values():
            if not future.done():
                future.set_exception(LinkLost(problem))
                future.exception()  # whoever waits still gets it; nobody waiting is no news

    def get_all(self) -> list[tuple[int, bytes]]:
        return []
