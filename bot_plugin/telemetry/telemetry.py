"""What a strategy tells: from any thread, at any time, without waiting and without an error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bot_plugin.settings import PluginSettings
from bot_plugin.telemetry.log_handler import OWN, TelemetryLogHandler
from bot_plugin.telemetry.outbox import Outbox
from bot_plugin.telemetry.samples import Controllers, Sample, Samples
from bot_plugin.telemetry.sender import Sender
from bot_plugin.telemetry.spelling import Spelling, members
from bot_plugin.wording import describe_error
from schemas.telemetry import InternalEvent, LogLine, Notification, write
from schemas.times import any_time

log = logging.getLogger(OWN)


class Telemetry:
    """What a bot tells of itself, on Hummingbot's topics and in its payloads, each at most once.

    Everything may be called from any thread, before the listener runs and while the broker is away: what waits is
    bounded, the oldest is dropped first, and how much was is told. Nothing raises for what is told, as an order must
    not fail for what is said of it: the log has what could not be.

    Args:
        settings: the bot's name, its topics, and what of this is switched off.
        now: the clock, microseconds since the epoch.
    """

    def __init__(self, settings: PluginSettings, *, now: Callable[[], int]) -> None:
        self._settings, self._now = settings, now
        self._spelling = Spelling(settings.secrets)
        self._outbox = Outbox()
        self._samples = Samples(self.performance)
        self.elsewhere: Callable[[str], bool] = _nowhere
        """Whether somebody else sends a channel (``hb``, ``status_updates``) for this bot now: then it is not sent."""

    def notify(self, text: str) -> None:
        """Tell the bot's owner something."""
        if self._settings.notifier:
            self._put("notify", lambda: write(Notification(msg=self._spelling.words(text), at=self._now())))

    def event(self, type_: str, data: Any = None) -> None:
        """Tell what happened to an order, or in the strategy.

        Args:
            type_: Hummingbot's name for it, such as ``OrderFilled``, or one of your own.
            data: a mapping, a dataclass or a named tuple, such as Hummingbot's own events; its ``timestamp`` is the
                event's.
        """
        if self._settings.events:
            self._put("events", lambda: write(self._event(type_, data)))

    def performance(self, controllers: Controllers) -> None:
        """Tell how each controller does, by its name: a snapshot, which replaces one of the same that waits still.

        Hummingbot's are ``{"performance": {...}, "custom_info": {...}}``, and empty for one that was stopped.
        """
        try:
            told = self._spelling.value(_members(controllers))
            self._outbox.put_performance({name: _members(one) for name, one in told.items()})
        except Exception as error:  # noqa: BLE001  # an order must not fail for what is said of it
            log.error("a snapshot cannot be told: %s", describe_error(error))  # noqa: TRY400

    def performance_every(self, seconds: float, function: Callable[[], Any]) -> None:
        """Ask a function for snapshots, as ``performance`` takes them, while the listener runs.

        Args:
            seconds: between an answer and the next question.
            function: a coroutine function, or a plain one, which runs in a thread.

        Raises:
            ValueError: there is no time between the calls.
        """
        if not seconds > 0:
            raise ValueError(f"the seconds between snapshots are more than 0, not {seconds!r}")
        self._samples.add(Sample(seconds, function))

    def log_handler(
        self, level: int | str = logging.INFO, *, loggers: Iterable[str] = (), exclude: Iterable[str] = ()
    ) -> logging.Handler:
        """A handler that forwards log lines: ``logging.getLogger().addHandler(listener.telemetry.log_handler())``.

        Args:
            level: the lowest that is forwarded.
            loggers: the loggers to forward, each with those below it; empty for all.
            exclude: loggers not to forward.
        """
        return TelemetryLogHandler(self._log, level=level, loggers=loggers, exclude=exclude)

    def sender(self) -> Sender:
        """What sends it in one run."""
        return Sender(self._settings, self._outbox, self._samples, elsewhere=self._is_elsewhere, now=self._now)

    def _is_elsewhere(self, channel: str) -> bool:
        return self.elsewhere(channel)

    def _log(self, line: LogLine) -> None:
        if self._settings.logger:
            msg, logger = self._spelling.log_line(line.msg), self._spelling.text(line.logger)
            told = LogLine(msg=msg, level=line.level, level_name=line.level_name, logger=logger, at=line.at)
            self._put("log", lambda: write(told))

    def _event(self, type_: str, data: Any) -> InternalEvent:
        given = _members({} if data is None else data)
        told: Mapping[str, Any] = {name: value for name, value in given.items() if name != "timestamp"}
        at = any_time(self._spelling.value(given.get("timestamp")))
        return InternalEvent(type=self._spelling.text(type_), data=self._spelling.value(told), at=at or self._now())

    def _put(self, channel: str, spell: Callable[[], bytes]) -> None:
        try:
            self._outbox.put(channel, spell())
        except Exception as error:  # noqa: BLE001  # as above
            log.error("a message for %r cannot be told: %s", channel, describe_error(error))  # noqa: TRY400


def _nowhere(channel: str) -> bool:  # noqa: ARG001
    return False


def _members(value: Any) -> Mapping[Any, Any]:
    if (given := members(value)) is None:
        raise TypeError(f"a mapping, a dataclass or a named tuple is told, not {type(value).__name__}")
    return given
