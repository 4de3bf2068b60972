"""What the bots say: their cards and their receipts."""

from gateway.bots.cards import Cards
from gateway.bots.presence import GatewayPresence
from gateway.bots.receipts import Receipts

__all__ = ["Cards", "GatewayPresence", "Receipts"]
