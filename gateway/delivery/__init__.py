"""From the journal's outbox to the broker's acknowledgement: route, publish, settle."""

from gateway.delivery.delivery import Delivery, DeliverySettings
from gateway.delivery.route import SIGNALS, route

__all__ = ["SIGNALS", "Delivery", "DeliverySettings", "route"]
