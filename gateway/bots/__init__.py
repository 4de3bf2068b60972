"""What the bots say: their cards, their clocks, their receipts and what they tell of themselves."""

from gateway.bots.cards import Cards
from gateway.bots.clocks import Clocks
from gateway.bots.presence import GatewayPresence
from gateway.bots.receipts import Receipts
from gateway.bots.registry import Registry
from gateway.bots.roster import Roster

__all__ = ["Cards", "Clocks", "GatewayPresence", "Receipts", "Registry", "Roster"]
