"""Plain text: an alert that names no trade, whatever it says."""

from __future__ import annotations

from gateway.formats.spelled import Spelled


def read(text: str) -> Spelled:
    """Take the whole text as the message."""
    return Spelled({"message": [("", text.strip())]})
