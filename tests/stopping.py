"""How long a gateway takes to stop at most."""

from __future__ import annotations

from gateway.app.gateway import _DRAIN
from gateway.notify.notifier import _LAST
from gateway.web.settings import ListenSettings

STOPPING = 2 * ListenSettings().drain + _DRAIN + _LAST
"""Seconds: the deadlines of both listeners, of what waits, and of notifications, all of them used up."""
