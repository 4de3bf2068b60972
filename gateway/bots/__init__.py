"""What the bots say: their cards, clocks, receipts and what they tell of themselves; and what they are told to do."""

from gateway.bots.cards import Cards
from gateway.bots.clocks import Clocks
from gateway.bots.commands import Commands
from gateway.bots.presence import GatewayPresence
from gateway.bots.receipts import Receipts
from gateway.bots.registry import Registry
from gateway.bots.roster import Roster

__all__ = ["Cards", "Clocks", "Commands", "GatewayPresence", "Receipts", "Registry", "Roster"]
