"""The logging.Handler that forwards log lines: bounded, from any thread, and it never waits for the network."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from schemas.telemetry import LogLine

OWN = "bot_plugin.telemetry"
"""The logger of telemetry itself: what it says of lines that it could not send is not sent on."""

Tell = Callable[[LogLine], None]


class TelemetryLogHandler(logging.Handler):
    """Forwards log lines.

    Args:
        tell: takes a line, and returns at once.
        level: the lowest that is forwarded.
        loggers: the loggers to forward, each with those below it; empty for all.
        exclude: loggers not to forward.
    """

    def __init__(
        self, tell: Tell, *, level: int | str = logging.INFO, loggers: Iterable[str] = (), exclude: Iterable[str] = ()
    ) -> None:
        super().__init__(level)
        self._tell = tell
        self._loggers = _names(loggers)
        self._exclude = (*_names(exclude), OWN)
        self.addFilter(self._is_chosen)

    def handle(self, record: logging.LogRecord) -> bool:
        """Forward a line that is chosen, without the lock that logging gives each handler.

        A finaliser may log in a thread that is in the outbox, and would wait for that lock, whose owner waits for the
        outbox: for ever, and with it every line that the loop logs.
        """
        chosen = self.filter(record)
        if chosen:
            self.emit(chosen if isinstance(chosen, logging.LogRecord) else record)
        return bool(chosen)

    def emit(self, record: logging.LogRecord) -> None:
        """Forward one line, with the traceback that belongs to it."""
        try:
            line = LogLine(
                msg=self.format(record),
                level=record.levelno,
                level_name=record.levelname,
                logger=record.name,
                at=round(record.created * 1_000_000),
            )
            self._tell(line)
        except Exception:  # noqa: BLE001  # as every handler of logging does it: the program goes on
            self.handleError(record)

    def _is_chosen(self, record: logging.LogRecord) -> bool:
        if _below(record.name, self._exclude):
            return False
        return not self._loggers or _below(record.name, self._loggers)


def _names(loggers: Iterable[str]) -> tuple[str, ...]:
    return (loggers,) if isinstance(loggers, str) else tuple(loggers)


def _below(name: str, loggers: tuple[str, ...]) -> bool:
    return any(name == logger or name.startswith(f"{logger}.") for logger in loggers)
