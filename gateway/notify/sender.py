"""A target's thread: it sends what waits for its target, tries again, and holds up nobody however long that takes."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from gateway.notify.channel import Channel
from gateway.notify.notification import Notification

MOST = 32
"""Notifications that wait for one target at most."""

PAUSES = (5.0, 30.0, 120.0, 600.0)
"""Seconds between the tries of one notification."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a notification: ``sent``, ``retried``, ``failed`` or ``dropped``; and what was wrong."""

    outcome: str
    problem: str = ""


class Sender:
    """Sends the notifications of one target, in their order.

    Args:
        name: of the target, without a secret.
        channel: the way to it.
        pauses: seconds between the tries of one notification.
    """

    def __init__(self, name: str, channel: Channel, *, pauses: Sequence[float] = PAUSES) -> None:
        self.name = name
        self._channel = channel
        self._pauses = pauses
        self._waiting: queue.Queue[Notification] = queue.Queue(MOST)
        self._results: deque[Result] = deque(maxlen=4 * MOST)
        self._hurried = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"notify {name}", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def offer(self, notification: Notification) -> None:
        """Take one to send; it is dropped where too many wait. Never waits."""
        try:
            self._waiting.put_nowait(notification)
        except queue.Full:
            self._results.append(Result("dropped", f"{MOST} wait for the target already"))

    @property
    def idle(self) -> bool:
        """Whether nothing is left to send, or to try again."""
        return self._waiting.unfinished_tasks == 0

    def hurry(self) -> None:
        """Try once what is left, without a pause."""
        self._hurried.set()

    def stop(self) -> None:
        """Drop what waits, but for what is being sent."""
        self.hurry()
        with suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
                self._waiting.task_done()
                self._results.append(Result("dropped", "the gateway ends"))

    def results(self) -> list[Result]:
        """What became of notifications since this was asked last."""
        return [self._results.popleft() for _ in range(len(self._results))]

    def _run(self) -> None:
        while True:
            notification = self._waiting.get()
            self._results.append(self._send(notification))
            self._waiting.task_done()

    def _send(self, notification: Notification) -> Result:
        problem = self._channel.send(notification)
        for pause in self._pauses:
            if problem is None or self._hurried.is_set():
                break
            self._results.append(Result("retried", f"{problem}; next try in {pause:g} s"))
            self._hurried.wait(pause)
            problem = self._channel.send(notification)
        return Result("sent") if problem is None else Result("failed", problem)
