"""The way to a target: apprise behind one function, imported only where there is a target.

Importing it and its 150 services takes 0.7 s and 33 MB.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from gateway.notify.notification import Notification

MISSING = "needs the library apprise: pip install 'signal-gateway[notify]'"


class Channel(Protocol):
    """Sends to one target."""

    def send(self, notification: Notification) -> str | None:
        """Send, and wait for the answer; say what was wrong, None for nothing. It never raises."""


def installed() -> bool:
    """Whether apprise is there."""
    return find_spec("apprise") is not None


def open_channel(url: str) -> Channel:
    """The way to what a URL names. Nothing is sent by this.

    Raises:
        ValueError: apprise can do nothing with the URL, which the message does not repeat.
    """
    return cast("Channel", import_module("gateway.notify.apprised").Apprised(url))
