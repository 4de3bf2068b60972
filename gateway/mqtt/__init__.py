"""The gateway's door to the broker.

The embedded broker is in ``gateway.mqtt.embedded``, so that amqtt is loaded only where it is wanted; the broker in
memory for tests is in ``gateway.mqtt.memory``.
"""

from gateway.mqtt.link import GmqttLink
from gateway.mqtt.model import (
    Ack,
    Handler,
    Link,
    LinkLost,
    LinkSettings,
    PacketTooLarge,
    SubscriptionDenied,
    Version,
    Will,
)
from gateway.mqtt.permissions import Logins, Permissions

__all__ = [
    "Ack",
    "GmqttLink",
    "Handler",
    "Link",
    "LinkLost",
    "LinkSettings",
    "Logins",
    "PacketTooLarge",
    "Permissions",
    "SubscriptionDenied",
    "Version",
    "Will",
]
