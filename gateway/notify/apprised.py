"""A target through apprise, which says in its log, and only there, why something was not sent."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from apprise import Apprise, AppriseAsset, NotifyFormat, PersistentStoreMode

from gateway.notify.notification import PREFIX, Notification

_STATUS = re.compile(r"\berror ?= ?(\d{3})\b")
_UNREACHED = re.compile("connection error|socket exception|timed? ?out", re.IGNORECASE)


class _Heard(logging.Filter):
    """Keeps what is logged by the thread that asks for it, and lets nothing out: it may show a URL."""

    def __init__(self) -> None:
        super().__init__()
        self._of_thread = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep one line, and show it to nobody."""
        lines = getattr(self._of_thread, "lines", None)
        if lines is not None and record.levelno >= logging.WARNING:
            lines.append(record.getMessage())
        return False

    @contextmanager
    def lines(self) -> Iterator[list[str]]:
        """What this thread logs within the block."""
        self._of_thread.lines = lines = list[str]()
        try:
            yield lines
        finally:
            self._of_thread.lines = None


_heard = _Heard()
logging.getLogger("apprise").addFilter(_heard)
logging.getLogger("apprise").setLevel(logging.WARNING)
for _name in ("urllib3", "requests"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)  # of each request, they log the path


class Apprised:
    """A ``gateway.notify.channel.Channel``."""

    def __init__(self, url: str) -> None:
        asset = AppriseAsset(
            app_id=PREFIX,
            app_desc=PREFIX,
            app_url="",
            async_mode=False,
            image_url_mask="",
            image_url_logo="",
            storage_mode=PersistentStoreMode.MEMORY,
        )
        plugin = Apprise.instantiate(url, asset=asset)
        if plugin is None:
            raise ValueError("is no URL that apprise can use")
        self._apprise = Apprise([plugin], asset=asset)

    def send(self, notification: Notification) -> str | None:
        """See ``Channel``."""
        with _heard.lines() as lines:
            try:
                sent = self._apprise.notify(
                    body=notification.body,
                    title=notification.title,
                    notify_type=notification.level.value,
                    body_format=NotifyFormat.TEXT,
                )
            except Exception as error:  # noqa: BLE001 - whatever a service's code raises, its text may show the URL
                return f"its service failed with {type(error).__name__}"
        return None if sent else _problem(lines)


def _problem(lines: Iterable[str]) -> str:
    """Why it was not sent, in words that cannot show a secret."""
    text = "\n".join(lines)
    if status := _STATUS.search(text):
        return f"it answered {_status(int(status[1]))}"
    return "it cannot be reached, or did not answer in time" if _UNREACHED.search(text) else "it did not take it"


def _status(number: int) -> str:
    try:
        return f"{number} {HTTPStatus(number).phrase}"
    except ValueError:
        return str(number)
