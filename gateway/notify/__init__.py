"""Somebody is told: facts become problems, problems become few notifications, and those go to whoever wants them."""

from gateway.notify.notifier import Notifier
from gateway.notify.settings import NotifySettings, Pace, Target

__all__ = ["Notifier", "NotifySettings", "Pace", "Target"]
