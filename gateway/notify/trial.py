"""A trial: one message to each target, on a thread of its own, and what the target made of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from gateway.notify.channel import Channel, open_channel
from gateway.notify.notification import PREFIX, Level, Notification
from gateway.notify.settings import Target

PATIENCE = 30.0
"""Seconds that the targets have to answer."""


def try_out(
    targets: Sequence[Target], *, patience: float = PATIENCE, channel: Callable[[str], Channel] = open_channel
) -> list[str | None]:
    """Send a message to each target; what was wrong with each, None where it was accepted.

    Raises:
        ValueError: apprise can do nothing with a URL.
    """
    answers: dict[int, str | None] = {}

    def ask(place: int, way: Channel, message: Notification) -> None:
        answers[place] = way.send(message)

    threads = [
        threading.Thread(target=ask, args=(place, channel(target.url), _message(target)), daemon=True)
        for place, target in enumerate(targets)
    ]
    end = time.monotonic() + patience
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return [answers.get(place, f"it did not answer within {patience:g} s") for place in range(len(targets))]


def _message(target: Target) -> Notification:
    body = f"A test, which somebody asked for: this is where {target.name}, is told of problems."
    return Notification(title=f"{PREFIX}: test", body=body, level=Level.INFO)
