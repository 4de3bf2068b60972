"""The companion inside a real Hummingbot: remote commands, telemetry and signals, without a change of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot_plugin.hummingbot.internals.fit import importing
from bot_plugin.hummingbot.signals import SignalMixin

if TYPE_CHECKING:
    from bot_plugin.hummingbot.adapter import Adapter

__all__ = ["SignalMixin", "attach"]


def attach(application: Any = None) -> Adapter:
    """Attach to the running Hummingbot, or return what is attached to it; see ``adapter.attach``.

    Raises:
        NotRunning: there is none.
        SettingsError: with every problem of its configuration.
        Unfit: this Hummingbot lacks what the plugin relies on.
    """
    with importing():
        from bot_plugin.hummingbot import adapter  # noqa: PLC0415  # it needs Hummingbot; parts of this package do not

    return adapter.attach(application)
