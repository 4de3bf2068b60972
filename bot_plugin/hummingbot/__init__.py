"""The companion inside a real Hummingbot: remote commands, telemetry and signals, without a change of its files."""
