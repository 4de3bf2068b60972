"""How much a strategy logs, and where: Hummingbot sets its logs up anew at each start."""

from __future__ import annotations

import logging
from typing import Any

from bot_plugin.hummingbot.internals.application import client_config

_STRATEGIES = ("hummingbot.strategy", "hummingbot.strategy_v2", "scripts", "controllers")
"""The loggers of strategies, scripts, controllers and executors."""
_LEVELS = frozenset({"DEBUG", "INFO", "NETWORK", "EVENT_LOG", "METRICS_LOG", "WARNING", "ERROR", "CRITICAL"})


def level_of(name: str) -> str | None:
    """A level by its name in any case; None where there is none of that name."""
    level = name.strip().upper()
    return level if level in _LEVELS and isinstance(logging.getLevelName(level), int) else None


def set_up(application: Any, file: str, level: str | None) -> None:
    """Begin the log file of a strategy, as the UI's own start does.

    Args:
        application: the running one.
        file: of the strategy's configuration, after which the log file is named.
        level: for what strategies log; None for what ``hummingbot_logs.yml`` says.
    """
    from hummingbot import init_logging  # noqa: PLC0415

    strategies = [logging.getLogger(name) for name in _STRATEGIES]
    known = (logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger))
    heard = [logger for logger in known if not logger.disabled]
    for logger in strategies:
        logger.setLevel(logging.NOTSET)  # of the last start; the file sets what it names
    init_logging("hummingbot_logs.yml", client_config(application), override_log_level=level, strategy_file_path=file)
    for logger in (*heard, *strategies):
        logger.disabled = False  # it silences every logger that the file does not name, the trading core's too
    if level is not None:
        for logger in strategies:
            logger.setLevel(level)
