"""The calls that still run in handlers that went."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from bot_plugin.job import Job
from bot_plugin.stale_calls import StaleCall


@dataclass(frozen=True, slots=True)
class Busy:
    """The calls that still run in handlers that went: of signals, of raw messages, and of what is stale."""

    jobs: tuple[Job, ...] = ()
    calls: tuple[asyncio.Timeout, ...] = ()
    stale: tuple[StaleCall, ...] = ()
