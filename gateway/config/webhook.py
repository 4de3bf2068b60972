"""The URLs that a source is sent to."""

from __future__ import annotations

from gateway.config.settings import Settings
from gateway.intake.source import Door, Source


def webhook_url(settings: Settings, source: str, token: str) -> str:
    """A source's webhook with its token, as the world reaches it, or as this machine does while the world cannot."""
    return f"{settings.public_address}/hooks/{source}/{token}"


def post_path(source: Source) -> str:
    """Where programs post what a source takes."""
    return f"/v1/{Door.SIGNALS if source.predictions is None else Door.PREDICTIONS}/{source.name}"


def post_url(settings: Settings, source: Source) -> str:
    """Where programs post what a source takes, as the world reaches it."""
    return f"{settings.public_address}{post_path(source)}"
