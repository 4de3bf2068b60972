"""Stock bridges that were there before the one that is: nothing holds them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.more

RESTARTS = """
import gc
import weakref
from types import SimpleNamespace

from bot_plugin.hummingbot.internals.bridge import Bridge, MQTTGateway


class Gateway(MQTTGateway):
    def __init__(self):
        self._command_table, self._topic_prefix, self._host = {}, "hbot/bot1", "127.0.0.1"
        self.register_command("hbot/bot1/start", object, self.answer)

    def answer(self, message): ...


Bridge(SimpleNamespace(_mqtt=None), prefix="hbot/bot1", host="localhost").take(["hbot/bot1/start"])
made = [weakref.ref(Gateway()) for _ in range(5)]
gc.collect()
print("alive:", sum(each() is not None for each in made))
"""


def test_a_bridge_that_was_stopped_is_held_by_nobody(python: Path, tmp_path: Path) -> None:
    """Each ``mqtt restart`` makes a new one; what was taken from the old ones goes with them."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.run(
        [python, "-c", RESTARTS], capture_output=True, text=True, check=True, cwd=tmp_path, env=environ, timeout=60
    )
    assert said.stdout.splitlines()[-1] == "alive: 0"
