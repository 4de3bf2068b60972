"""The URL that an alert is sent to."""

from __future__ import annotations

from gateway.config.settings import Settings


def webhook_url(settings: Settings, source: str, token: str) -> str:
    """A source's webhook with its token, as the world reaches it, or as this machine does while the world cannot."""
    return f"{settings.public_address}/hooks/{source}/{token}"
