"""What a bot tells of itself: heartbeats, availability, log lines, notifications, events and PnL snapshots."""

from bot_plugin.telemetry.telemetry import Telemetry

__all__ = ["Telemetry"]
