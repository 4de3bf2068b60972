"""The loggers that Hummingbot's configuration marks with ``mqtt: true``: what their handlers get is told."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import hummingbot

from bot_plugin.hummingbot.internals.fit import require

_OWN = "bot_plugin"


class Loggers:
    """Keeps a handler at the marked loggers: Hummingbot sets its logging up anew with each start, and forgets others.

    Args:
        handler: gets each line once.

    Raises:
        Unfit: the configuration of logging is elsewhere.
    """

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler
        self._configuration = require(hummingbot, "get_logging_conf")
        self._marked: frozenset[str] = frozenset()

    def read(self) -> None:
        """Read anew which are marked."""
        self._marked = frozenset(self._names())

    def hold(self) -> None:
        """Put the handler where it is missing, and let our own loggers speak, which a new set-up switches off."""
        for name in self._marked:
            logger = logging.getLogger(name)
            if self._handler not in logger.handlers and not self._gets_it_above(logger):
                logger.addHandler(self._handler)
        for name, known in list(logging.root.manager.loggerDict.items()):
            if isinstance(known, logging.Logger) and (name == _OWN or name.startswith(f"{_OWN}.")):
                known.disabled = False

    def release(self) -> None:
        """Take the handler away."""
        for name in self._marked:
            logging.getLogger(name).removeHandler(self._handler)

    def _names(self) -> Iterator[str]:
        """The marked ones; the root where nothing is configured, as it is marked in Hummingbot's own template."""
        configuration = self._configuration() or {"root": {"mqtt": True}}
        if (configuration.get("root") or {}).get("mqtt"):
            yield ""
        for name, one in (configuration.get("loggers") or {}).items():
            if one and one.get("mqtt"):
                yield str(name)

    def _gets_it_above(self, logger: logging.Logger) -> bool:
        """Whether a line of this logger comes to another marked one too."""
        above: logging.Logger | None = logger
        while above is not None and above.propagate:
            above = above.parent
            if above is not None and ("" if above is logging.root else above.name) in self._marked:
                return True
        return False
