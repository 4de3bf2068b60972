"""A listener in a thread of its own, beside a strategy that has a loop of its own or none."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

log = logging.getLogger("bot_plugin")


class ThreadedListener:
    """Runs a listener's ``run`` in a thread with an event loop of its own.

    Args:
        run: the listener's run.
        stop: ends it, from any thread.
        up: set while it was connected once.
    """

    def __init__(
        self, run: Callable[[], Coroutine[Any, Any, None]], *, stop: Callable[[], None], up: threading.Event
    ) -> None:
        self._run, self._stop, self._up = run, stop, up
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._starting = False
        self._telling = threading.Lock()

    @property
    def error(self) -> BaseException | None:
        """What ended the listener; None while it runs, or where it was stopped."""
        return self._error

    def start(self, *, timeout: float = 10.0) -> None:
        """Start, and return when connected, or after ``timeout`` seconds: it goes on connecting then.

        Raises:
            NameTaken, LinkRefused, SettingsError: as ``run`` says, where it ended within that time.
        """
        if self._thread is not None:
            raise RuntimeError("this listener was started already")
        self._error, self._starting = None, True
        self._thread = threading.Thread(target=self._main, name="bot_plugin.listener", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + timeout
        while not self._up.wait(0.01) and self._thread.is_alive() and time.monotonic() < deadline:
            pass
        with self._telling:
            self._starting = False
        if self._error is not None:
            self._thread = None
            raise self._error

    def stop(self, *, timeout: float = 30.0) -> None:
        """Stop, and return when it has ended, or after ``timeout`` seconds.

        Raises:
            BaseException: what ended the listener before.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        deadline = time.monotonic() + timeout
        while thread.is_alive() and time.monotonic() < deadline:
            self._stop()
            thread.join(0.05)
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:  # noqa: BLE001  # start and stop raise it where the strategy lives
            with self._telling:
                self._error, raised = error, self._starting
            if not raised:
                log.critical("the listener has ended: %s", error)
