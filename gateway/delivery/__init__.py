"""From the journal's outbox to the broker's acknowledgement: route, publish, settle."""

from gateway.delivery.delivery import Delivery
from gateway.delivery.route import SIGNALS, route
from gateway.delivery.settings import DeliverySettings

__all__ = ["SIGNALS", "Delivery", "DeliverySettings", "route"]
