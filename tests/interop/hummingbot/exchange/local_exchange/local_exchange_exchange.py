# ruff: noqa: FBT002, PLR0917  # signatures are Hummingbot's
"""The connector: the exchange of this machine behind Hummingbot's own order tracking."""

import time
from decimal import Decimal
from pathlib import Path

from bidict import bidict
from hummingbot import prefix_path
from hummingbot.connector.constants import s_decimal_NaN
from hummingbot.connector.exchange.local_exchange.feeds import Account, Books, Rates
from hummingbot.connector.exchange.local_exchange.local_exchange_utils import DEFAULT_FEES
from hummingbot.connector.exchange.local_exchange.venue import FEE, PRICES, Refused, Venue
from hummingbot.connector.exchange_py_base import ExchangePyBase
from hummingbot.connector.trading_rule import TradingRule
from hummingbot.core.data_type.common import OrderType, TradeType
from hummingbot.core.data_type.in_flight_order import OrderState, OrderUpdate, TradeUpdate
from hummingbot.core.data_type.trade_fee import AddedToCostTradeFee, TokenAmount, TradeFeeBase
from hummingbot.core.network_iterator import NetworkStatus
from hummingbot.core.rate_oracle.rate_oracle import RateOracle

STATES = {"OPEN": OrderState.OPEN, "FILLED": OrderState.FILLED, "CANCELED": OrderState.CANCELED}


class LocalExchangeExchange(ExchangePyBase):
    SHORT_POLL_INTERVAL = 1.0

    def __init__(self, local_exchange_api_key, balance_asset_limit=None, trading_pairs=None, trading_required=True):
        self._venue = Venue(Path(prefix_path()) / "exchange")
        self._trading_required, self._trading_pairs = trading_required, trading_pairs
        super().__init__(balance_asset_limit)
        self.check_network_interval = 1.0
        RateOracle.get_instance().source = Rates(self._venue)

    name = domain = "local_exchange"
    authenticator = None
    rate_limits_rules = ()
    client_order_id_max_length = 32
    client_order_id_prefix = "HB"
    trading_rules_request_path = trading_pairs_request_path = check_network_request_path = ""
    is_cancel_request_in_exchange_synchronous = True

    @property
    def trading_pairs(self):
        return self._trading_pairs

    @property
    def is_trading_required(self):
        return self._trading_required

    @property
    def status_dict(self):
        return super().status_dict | {"exchange_online": self._venue.online}

    def supported_order_types(self):
        return [OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.MARKET]

    async def check_network(self):
        self._venue.look()
        return NetworkStatus.CONNECTED if self._venue.online else NetworkStatus.NOT_CONNECTED

    # orders

    async def _place_order(self, order_id, trading_pair, amount, trade_type, order_type, price, **kwargs):
        limit = None if order_type is OrderType.MARKET else price
        placed = self._venue.place(order_id, trading_pair, trade_type.name, order_type.name, amount=amount, limit=limit)
        await self._update_balances()
        return placed, time.time()

    async def _place_cancel(self, order_id, tracked_order):
        self._venue.cancel(order_id)
        await self._update_balances()
        return True

    async def _user_stream_event_listener(self):
        async for told in self._iter_user_event_queue():
            if told["trade"]:
                self._order_tracker.process_trade_update(self._trade_update(told["trade"]))
            self._order_tracker.process_order_update(self._order_update(told["order"]))
            await self._update_balances()

    async def _all_trade_updates_for_order(self, order):
        return [self._trade_update(trade) for trade in self._venue.trades(order.client_order_id)]

    async def _request_order_status(self, tracked_order):
        return self._order_update(self._venue.order(tracked_order.client_order_id))

    def _trade_update(self, trade):
        fee = TradeFeeBase.new_spot_fee(
            fee_schema=DEFAULT_FEES,
            trade_type=TradeType[trade["side"]],
            flat_fees=[TokenAmount(trade["pair"].split("-")[1], Decimal(trade["fee"]))],
        )
        amount, price = Decimal(trade["amount"]), Decimal(trade["price"])
        return TradeUpdate(
            trade_id=trade["id"],
            client_order_id=trade["client_id"],
            exchange_order_id=trade["order_id"],
            trading_pair=trade["pair"],
            fill_timestamp=trade["at"],
            fill_price=price,
            fill_base_amount=amount,
            fill_quote_amount=amount * price,
            fee=fee,
        )

    def _order_update(self, order):
        state = STATES[order["state"]]
        if state is OrderState.OPEN and Decimal(order["filled"]):
            state = OrderState.PARTIALLY_FILLED
        return OrderUpdate(
            client_order_id=order["client_id"],
            exchange_order_id=order["id"],
            trading_pair=order["pair"],
            update_timestamp=time.time(),
            new_state=state,
        )

    def _is_order_not_found_during_status_update_error(self, status_update_exception):
        return isinstance(status_update_exception, Refused)

    def _is_order_not_found_during_cancelation_error(self, cancelation_exception):
        return isinstance(cancelation_exception, Refused)

    # what is true of the account and of the pairs

    async def _update_balances(self):
        self._account_balances.clear()
        self._account_balances.update(self._venue.balances())
        self._account_available_balances.clear()
        self._account_available_balances.update(self._venue.available())

    def _get_fee(
        self, base_currency, quote_currency, order_type, order_side, amount, price=s_decimal_NaN, is_maker=None
    ):
        return AddedToCostTradeFee(percent=FEE)

    async def _update_trading_fees(self):
        pass

    async def _update_time_synchronizer(self, pass_on_non_cancelled_error=False):
        pass

    async def _make_trading_rules_request(self):
        return PRICES

    async def _make_trading_pairs_request(self):
        return PRICES

    async def _format_trading_rules(self, exchange_info_dict):
        smallest = Decimal("0.0001")
        return [
            TradingRule(
                pair,
                min_order_size=smallest,
                min_base_amount_increment=smallest,
                min_price_increment=Decimal("0.01"),
                min_notional_size=Decimal("0.01"),
            )
            for pair in exchange_info_dict
        ]

    def _initialize_trading_pair_symbols_from_exchange_info(self, exchange_info):
        self._set_trading_pair_symbol_map(bidict({pair: pair for pair in exchange_info}))

    # how it is reached

    def _is_request_exception_related_to_time_synchronizer(self, request_exception):
        return False

    def _create_web_assistants_factory(self):
        return None

    def _create_order_book_data_source(self):
        return Books(self._trading_pairs, self._venue)

    def _create_user_stream_data_source(self):
        return Account(self._venue)
