"""What is left to do at the broker after logins changed."""

from __future__ import annotations

from gateway.config.settings import Settings


def left_to_do(settings: Settings, *, written: bool) -> list[str]:
    """Lines for the operator; none where the change acts by itself.

    Args:
        settings: the settings.
        written: whether an external Mosquitto's files were written.
    """
    if written:
        return ["", "Mosquitto's files are written; it reads them again on SIGHUP: systemctl reload mosquitto"]
    return [] if settings.embedded else ["", "the broker is an external one: give it this login and its permissions"]
