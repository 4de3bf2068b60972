"""Logging: structlog for the gateway's lines, the libraries' lines through the same door, no secret in any of them."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from time import time_ns
from typing import Any

import structlog
from structlog.typing import Processor

from gateway.telemetry.sink import LineSink
from schemas.fields import micros_text
from schemas.secrets import REDACTED, SECRET_KEYS, folded

NOISY = ("gmqtt", "amqtt", "transitions", "aiohttp", "asyncio")
"""Libraries that narrate; only their warnings are heard."""

_SECRETS = re.compile(
    r"(?P<keep>/hooks/[^/\s\"'?]+/|[?&](?:key|api_key|token)=|\bauthorization[\"'\\]*\s*[:=]\s*[\"'\\]*(?:\w+\s+)?|\bbearer\s+)"
    r"[^\s\"'\\?&,]+"
    r"|(?<![A-Za-z0-9])sg_[A-Za-z0-9_-]{8,}",
    re.IGNORECASE,
)
_HINTS = ("sg_", "/hooks/", "key=", "token=", "authorization", "bearer")
_encode = json.JSONEncoder(default=str, separators=(",", ":")).encode
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """How to log.

    Args:
        level: the least level that is written: debug, info, warning or error.
        format: ``json``, ``console``, or ``auto``: console on a terminal, JSON elsewhere.
    """

    level: str = "info"
    format: str = "auto"


def configure(settings: LogSettings, *, fd: int = 1) -> LineSink:
    """Send all that this process logs to a file descriptor; close the returned sink at the end."""
    sink = LineSink(fd)
    console = settings.format == "console" or (settings.format == "auto" and os.isatty(fd))
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    structlog.configure(
        processors=processors(console=console),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: Lines(sink),
        cache_logger_on_first_use=False,
    )
    _bridge(level)
    return sink


def processors(*, console: bool) -> list[Processor]:
    """What a line passes on its way: level, time, exception, redaction by key, rendering, redaction by pattern."""
    first: list[Processor] = [structlog.processors.add_log_level, stamp, redact_keys]
    if console:
        return [*first, escape_controls, structlog.dev.ConsoleRenderer(timestamp_key="at"), redact_text]
    return [*first, structlog.processors.format_exc_info, render_json, redact_text]


def stamp(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say when, spelled as everywhere on the wire."""
    event["at"] = micros_text(time_ns() // 1000)
    return event


def render_json(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    """Render a line as compact JSON; one encoder for all lines, as ``json.dumps`` makes a new one each time."""
    return _encode(event)


def redact_keys(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Redact the values of keys that name a secret."""
    for key in _secret_among(tuple(event)):
        event[key] = REDACTED
    return event


def redact_text(_: Any, __: str, line: Any) -> str:
    """Redact what looks like a secret, wherever in the line it is."""
    return redacted(line)


def redacted(text: str) -> str:
    """Redact tokens, the secret part of webhook URLs and Authorization values in any text."""
    lower = text.lower()
    for hint in _HINTS:
        if hint in lower:
            return _SECRETS.sub(lambda match: (match["keep"] or "") + REDACTED, text)
    return text


def escape_controls(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape control characters, which a terminal would obey."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = value.translate(_CONTROL)
        elif isinstance(value, list | tuple):
            event[key] = [str(item).translate(_CONTROL) for item in value]
    return event


class Lines:
    """The logger below structlog's: hands rendered lines to the sink."""

    def __init__(self, sink: LineSink) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = self.msg = sink.write


class Bridge(logging.Handler):
    """Hands the standard library's log records to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record; one whose arguments do not fit its text is logged as it is."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        extra = {"exc_info": record.exc_info} if record.exc_info else {}
        structlog.get_logger().log(record.levelno, text, logger=record.name, **extra)


def _bridge(level: int) -> None:
    logging.basicConfig(handlers=[Bridge()], level=level, force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)


@lru_cache(maxsize=1024)
def _secret_among(keys: tuple[str, ...]) -> tuple[str, ...]:
    """The keys that name a secret; each line that the code writes has its own keys, always the same."""
    return tuple(key for key in keys if folded(key) in SECRET_KEYS)
