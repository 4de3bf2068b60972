"""What the person who starts Hummingbot by our command can mend."""

from __future__ import annotations


class Unstarted(Exception):
    """Hummingbot cannot be started as it was asked to; the words say why."""
