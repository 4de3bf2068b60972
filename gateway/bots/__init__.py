"""What the bots say: their cards, their clocks and their receipts; and what they are told to do."""

from gateway.bots.cards import Cards
from gateway.bots.clocks import Clocks
from gateway.bots.commands import Commands
from gateway.bots.presence import GatewayPresence
from gateway.bots.receipts import Receipts
from gateway.bots.roster import Roster

__all__ = ["Cards", "Clocks", "Commands", "GatewayPresence", "Receipts", "Roster"]
