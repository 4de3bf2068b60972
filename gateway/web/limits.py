"""How often a source may send."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from gateway.errors import NotStored

_MINUTE = 60.0


class RateLimit:
    """Requests per moving minute, for each source that has a limit. Ask it about authenticated requests only.

    Args:
        per_minute: the limits.
        now: seconds of a clock that is never set back, ``time.monotonic``.
    """

    def __init__(self, per_minute: Mapping[str, int], *, now: Callable[[], float]) -> None:
        self._recent = {source: deque[float](maxlen=most) for source, most in per_minute.items()}
        self._now = now

    def admit(self, source: str) -> None:
        """Count a request of a source in; one that is refused does not count.

        Raises:
            NotStored: the source sent as many within the last minute as it may; cause ``rate``.
        """
        recent = self._recent.get(source)
        if recent is None:
            return
        now = self._now()
        if len(recent) == recent.maxlen and (not recent or now - recent[0] < _MINUTE):
            again = _MINUTE - (now - recent[0]) if recent else _MINUTE
            problem = f"Source {source} sends more than its {recent.maxlen} requests per minute."
            raise NotStored("rate", problem, again=again)
        recent.append(now)
