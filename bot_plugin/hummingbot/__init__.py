"""The companion inside a real Hummingbot: remote commands, telemetry and signals, without a change of its files."""

from __future__ import annotations

from bot_plugin.hummingbot.signals import SignalMixin

__all__ = ["SignalMixin"]
