"""``import bot_plugin.hummingbot.auto`` in a script or a controller attaches to the Hummingbot that runs it.

Where none runs, as when a tool imports the script, nothing happens.
"""

from __future__ import annotations

from bot_plugin.hummingbot import attach
from bot_plugin.hummingbot.internals.fit import importing

with importing():
    from bot_plugin.hummingbot.internals.application import running

if running() is not None:
    attach()
