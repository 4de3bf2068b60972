"""What is said of a broker that is away: one line when it is lost, one when it is back, in words for a bot's user."""

from __future__ import annotations

import errno
import logging
import socket

from bot_plugin.link import NoAnswer
from bot_plugin.transport import LinkSettings

log = logging.getLogger("bot_plugin.link")

NOTHING_LISTENS = "nothing listens there: is the broker running?"
SILENCE = "it does not answer"

_CLOSED = {
    0x89: "the broker is busy",
    0x8B: "the broker is shutting down",
    0x8D: "the broker did not hear from here in time",
    0x98: "an administrator ended the connection",
}
"""Reason codes of a DISCONNECT with which brokers end good connections (MQTT 5)."""


class Outage:
    """One broker's absence. Each connection to it finds that out for itself, and it is told once.

    It begins with the first connection that is lost, or cannot be made, and ends when none is wanting any more.
    """

    def __init__(self) -> None:
        self._wanting: set[object] = set()
        self._told: set[str] = set()

    def lost(self, link: object, settings: LinkSettings, why: str) -> None:
        """A connection ended."""
        self._wanting.add(link)
        if not self._told:
            self._told = {NOTHING_LISTENS, SILENCE}  # which the attempts after it will find
            log.warning("%s lost the broker at %s (%s); trying again", *_names(settings), why)
        log.debug("%s ended: %s", settings.client_id, why)

    def missed(self, link: object, settings: LinkSettings, why: str) -> None:
        """An attempt failed; it is told where its reason is a new one."""
        self._wanting.add(link)
        if why not in self._told:
            self._told.add(why)
            log.warning("%s cannot connect to the broker at %s (%s); trying again", *_names(settings), why)
        log.debug("%s cannot connect: %s", settings.client_id, why)

    def made(self, link: object, settings: LinkSettings) -> None:
        """A connection stands."""
        log.debug("%s is connected", settings.client_id)
        self._wanting.discard(link)
        self._end(settings)

    def given_up(self, link: object, settings: LinkSettings, *, others: bool) -> None:
        """Nobody wants this connection any more; ``others`` says whether another one stands."""
        self._wanting.discard(link)
        if others:
            self._end(settings)

    def _end(self, settings: LinkSettings) -> None:
        if self._told and not self._wanting:
            self._told = set()
            log.warning("%s is connected to the broker at %s now", *_names(settings))


def why_not(error: OSError) -> str:
    """Why a connection could not be made."""
    if isinstance(error, NoAnswer | TimeoutError):
        return SILENCE
    if isinstance(error, socket.gaierror):
        return f"no machine of that name is known ({error.strerror})"
    refused = error.errno == errno.ECONNREFUSED or f"[Errno {errno.ECONNREFUSED}] Connect call failed" in str(error)
    return NOTHING_LISTENS if refused else _words(error)


def why_lost(code: int | None, broken: Exception | None) -> str:
    """Why a connection ended.

    Args:
        code: the reason that the broker gave; None where it gave none.
        broken: what the network said; None where it was closed in order.
    """
    if code is not None:
        return _CLOSED.get(code, f"the broker ended the connection (reason {code:#x})")
    return "the connection was closed at the broker's side" if broken is None else _words(broken)


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _names(settings: LinkSettings) -> tuple[str, str]:
    return settings.who or f"client {settings.client_id!r}", f"{settings.host}:{settings.port}"
