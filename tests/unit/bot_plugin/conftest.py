"""Bots with a state folder, whose clocks tests move."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import (
    PluginSettings,
    SignalListener,
    SqliteInbox,
)
from tests.unit.bot_plugin.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(clock: Clock, tmp_path: Path) -> Callable[..., SignalListener]:
    """A bot with a state folder; made again it is another process of the same bot."""

    def make(**settings: Any) -> SignalListener:
        given = {"bot": "demo", "grace": 0.1, "state_dir": str(tmp_path / "state"), **settings}
        inbox = SqliteInbox(tmp_path / "inbox.db", monotonic=clock.monotonic)
        return SignalListener(PluginSettings(**given), inbox=inbox, now=clock, monotonic=clock.monotonic)

    return make


@pytest.fixture
def bot(make: Callable[..., SignalListener]) -> SignalListener:
    return make()
