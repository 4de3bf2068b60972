"""The sources that should be heard from every so often: this says which of them fell silent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from gateway.telemetry.facts import Accepted, Telemetry
from gateway.telemetry.null import NullTelemetry


class Silence(NullTelemetry):
    """Follows what is accepted, and reports a source that has been silent for too long, and its return.

    It counts from the start, or from the last signal that was accepted.

    Args:
        expected: by source, the seconds within which a signal should come.
        telemetry: is told.
        timer: seconds that never go back.
    """

    def __init__(
        self, expected: Mapping[str, float], *, telemetry: Telemetry, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._expected = expected
        self._telemetry = telemetry
        self._timer = timer
        self._last = dict.fromkeys(expected, timer())
        self._heard: set[str] = set()
        self._silent: set[str] = set()

    def accepted(self, accepted: Accepted) -> None:
        self._heard.add(accepted.draft.source)  # the hot path: what follows from it is seen to in ``look``

    def look(self) -> None:
        """See who was heard and who was not; to be called again and again."""
        now = self._timer()
        for source, within in self._expected.items():
            silence = now - self._last[source]
            if source in self._heard:
                self._last[source] = now
                if source in self._silent:
                    self._telemetry.source_heard(source=source, seconds=silence)
            elif silence > within and source not in self._silent:
                self._silent.add(source)
                self._telemetry.source_silent(source=source, seconds=silence)
        self._silent -= self._heard
        self._heard.clear()
