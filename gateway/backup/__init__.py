"""All that is needed to come back, in one file: made while the gateway runs, and put back while it does not."""

from gateway.backup.making import Made, back_up, back_up_before_upgrade
from gateway.backup.restoring import Restored, require_whole, restore

__all__ = ["Made", "Restored", "back_up", "back_up_before_upgrade", "require_whole", "restore"]
