"""What the exchange tells without being asked: order books, what became of orders, and rates."""

import asyncio
import time
from decimal import Decimal

from hummingbot.core.data_type.order_book_message import OrderBookMessage, OrderBookMessageType
from hummingbot.core.data_type.order_book_tracker_data_source import OrderBookTrackerDataSource
from hummingbot.core.data_type.user_stream_tracker_data_source import UserStreamTrackerDataSource
from hummingbot.core.rate_oracle.sources.rate_source_base import RateSourceBase

EVERY = 0.05
"""Seconds between two looks at the market; a look is one stat of a file."""
LEVELS, STEP, SIZE = 5, Decimal("0.1"), 1000


class Books(OrderBookTrackerDataSource):
    """Order books of some levels, anew with each change of the prices."""

    def __init__(self, trading_pairs, venue):
        super().__init__(trading_pairs)
        self._venue = venue
        self._number = int(time.time() * 1e3)

    async def get_last_traded_prices(self, trading_pairs, domain=None):
        return {pair: float(self._middle(pair)) for pair in trading_pairs}

    def _middle(self, pair):
        return (self._venue.price(pair, "BUY") + self._venue.price(pair, "SELL")) / 2

    async def _order_book_snapshot(self, trading_pair):
        self._number += 1
        ask, bid = self._venue.price(trading_pair, "BUY"), self._venue.price(trading_pair, "SELL")
        content = {
            "trading_pair": trading_pair,
            "update_id": self._number,
            "bids": [(float(bid - level * STEP), SIZE) for level in range(LEVELS) if bid > level * STEP],
            "asks": [(float(ask + level * STEP), SIZE) for level in range(LEVELS)],
        }
        return OrderBookMessage(OrderBookMessageType.SNAPSHOT, content, timestamp=time.time())

    async def listen_for_order_book_snapshots(self, ev_loop, output):
        shown = None
        while True:
            if self._venue.market != shown:
                shown = self._venue.market
                await self._request_order_book_snapshots(output)
            await asyncio.sleep(EVERY)

    async def listen_for_subscriptions(self):
        await asyncio.Event().wait()

    async def listen_for_order_book_diffs(self, ev_loop, output):
        await asyncio.Event().wait()

    async def listen_for_trades(self, ev_loop, output):
        await asyncio.Event().wait()

    async def subscribe_to_trading_pair(self, trading_pair):
        self.add_trading_pair(trading_pair)
        return True

    async def unsubscribe_from_trading_pair(self, trading_pair):
        self.remove_trading_pair(trading_pair)
        return True


class Account(UserStreamTrackerDataSource):
    """What became of the account's orders."""

    def __init__(self, venue):
        super().__init__()
        self._venue = venue
        self._heard = 0.0

    @property
    def last_recv_time(self):
        return self._heard

    async def listen_for_user_stream(self, output):
        while True:
            self._venue.look()
            if self._venue.online:
                self._heard = time.time()
            for told in self._venue.news():
                output.put_nowait(told)
            await asyncio.sleep(EVERY)


class Rates(RateSourceBase):
    """The middle of each pair, for whoever wants to know what something is worth."""

    def __init__(self, venue):
        self._venue = venue

    @property
    def name(self):
        return "local_exchange"

    async def get_prices(self, quote_token=None):
        pairs = self._venue.market["pairs"]
        return {pair: (Decimal(at["bid"]) + Decimal(at["ask"])) / 2 for pair, at in pairs.items()}
