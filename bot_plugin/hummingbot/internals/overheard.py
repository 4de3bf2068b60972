"""What Hummingbot logs where it could have raised: it swallows errors that whoever commands it must be told."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from types import TracebackType
from typing import Self

_MOST = 50


class Overheard(logging.Filter):
    """Listens to loggers while it is entered, to what its own task logs; passes every record on.

    Args:
        loggers: the very ones that are logged to; those above them hear nothing.
    """

    def __init__(self, *loggers: logging.Logger) -> None:
        super().__init__()
        self._loggers = loggers
        self._place: object = None
        self.errors: list[BaseException] = []
        """The errors that were being handled while something was logged, the first one first, each once."""
        self.messages: list[str] = []
        """What was logged as an error."""

    def __enter__(self) -> Self:
        self._place = _place()
        for logger in self._loggers:
            logger.disabled = False  # as a new set-up of the logs leaves it
            logger.addFilter(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for logger in self._loggers:
            logger.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Note an error, and let its record through."""
        if record.levelno >= logging.ERROR and len(self.messages) < _MOST and _place() == self._place:
            self.messages.append(record.getMessage())
            handled = sys.exc_info()[1]
            if handled is not None and handled not in self.errors:
                self.errors.append(handled)
        return True


def _place() -> tuple[int, object]:
    """Where this is run: the thread, and the task where it has one."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return threading.get_ident(), task
