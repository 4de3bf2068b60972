"""JSON with keys: flat or nested, by the key names that users and other receivers really use."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.formats.spelled import Spelled
from schemas.secrets import folded

_MAX_KEY = 64

_TOP = {
    "action": "action order_action trade_action position_direction trade_direction",
    "side": "side order_side direction",
    "position_side": "position_side",
    "signal": "signal signal_type",
    "kind": "type order data command cmd",
    "buy": "is_buy",
    "sell": "is_sell",
    "close": "is_close",
    "target": "market_position target_position position_target",
    "sentiment": "sentiment position target_sentiment",
    "size": "market_position_size",
    "signed_size": "position_size",
    "previous": "prev_market_position previous_market_position prev_position previous_position",
    "previous_size": "prev_market_position_size previous_market_position_size prev_position_size "
    "previous_position_size",
    "symbol": "ticker symbol instrument tv_instrument pair market tradingview_symbol tvsymbol trading_symbol "
    "trading_pair ticker_id syminfo.ticker syminfo.tickerid inst_id instrument_id asset coin",
    "exchange": "exchange tv_exchange venue exchange_name",
    "base": "base base_currency syminfo.basecurrency base_asset",
    "quote": "quote quote_currency currency syminfo.currency quote_asset",
    "quantity": "quantity qty size contracts order_contracts amount order_size order_qty order_quantity order_amount "
    "trade_size lots lot lot_size shares units amount_per_trade base_amount position_qty",
    "quote_quantity": "quote_quantity quote_amount quote_order_qty usd cost notional",
    "risk_quantity": "risk risk_percent risk_percentage",
    "unit": "quantity_type qty_type size_type amount_type amount_per_trade_type investment_type currency_type unit",
    "price": "limit_price order_price price entry_price entry signal_price market_price trade_price trigger_price",
    "trigger": "stop_price",
    "order_type": "order_type",
    "stop_loss": "stop_loss sl sl_price stop_loss_price stop",
    "long_stop": "long_sl long_stop long_stop_loss",
    "short_stop": "short_sl short_stop short_stop_loss",
    "take_profit": "take_profit tp tp_price take_profit_price target take_profits targets "
    + " ".join(f"tp{n} take_profit_{n} target_{n} tp_{n}_price take_profit_{n}_price" for n in range(1, 10)),
    "long_take_profit": "long_tp long_take_profit",
    "short_take_profit": "short_tp short_take_profit",
    "trailing": "trailing trailing_stop trail trail_amount trail_price trail_offset",
    "leverage": "leverage lev",
    "reduce_only": "reduce_only close_only",
    "id": "id order_id alert_id client_ref client_order_id trade_id signal_id",
    "comment": "order_comment comment",
    "message": "message msg text content alert_message order_alert_message alert body description note reason title",
    "strategy": "strategy strategy_name strategy_id",
    "account": "account subaccount sub_account account_id account_name",
    "fired_at": "timenow fired_at triggered_at source_timestamp alert_time fire_time sent_at",
    "time": "timestamp time date datetime",
    "opened_at": "bar_time candle_time bar_start",
    "interval": "interval timeframe time_frame tf resolution",
    "open": "open",
    "high": "high",
    "low": "low",
    "bar_close": "close",
    "volume": "volume",
    "idempotency_key": "idempotency_key",
    "indicators": "indicators plots",
    "indicator": " ".join(f"plot_{n}" for n in range(20)),
}
_BAR = {
    "opened_at": "time timestamp opened_at open_time start",
    "open": "open o",
    "high": "high h",
    "low": "low l",
    "bar_close": "close c",
    "volume": "volume v vol",
    "interval": "interval timeframe",
}
_ORDER = {
    "action": "action side order_action",
    "order_type": "type order_type",
    "unit": "unit type_of_amount",
    "message": "alert_message message",
    "comment": "comment",
    "id": "id order_id",
}
_POSITION = {
    "target": "target side market_position direction",
    "size": "size market_position_size",
    "previous": "previous prev",
    "previous_size": "previous_size prev_size",
}
_STOP = {"stop_loss": "stop_price price trigger_price value", "trailing": "trail_amount trail_price"}
_PROFIT = {"take_profit": "limit_price price trigger_price value"}
_SYMBOL = {"symbol": "ticker symbol tickerid raw", "base": "base basecurrency", "quote": "quote currency"}
_NOTHING: dict[str, str] = {}

_CONTAINERS = {
    "top": "data payload alert trade params metadata signal strategy_info condition",
    "strategy": "strategy",
    "bar": "bar ohlcv ohlc candle kline",
    "order": "order",
    "position": "position",
    "stop": "stop_loss sl",
    "profit": "take_profit tp",
    "symbol": "syminfo instrument symbol",
}

_Table = Mapping[str, tuple[str, int]]
"""By folded key: the field, and how far behind the field's first spelling this one stands."""


def _table(*spellings: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    return {
        folded(key): (field, rank)
        for fields in spellings
        for field, keys in fields.items()
        for rank, key in enumerate(keys.split())
    }


def _compiled() -> dict[str, dict[str, tuple[str, int]]]:
    top = _table(_TOP)
    prefixed = {f"{role}{key}": found for role, own in (("strategy", top), ("strategyorder", _table(_TOP, _ORDER)),
        ("bar", _table(_BAR)), ("order", top)) for key, found in own.items()}  # fmt: skip
    everything = prefixed | top
    return {
        "top": everything,
        "strategy": everything | _table({"strategy": "name", "id": "id"}),
        "order": everything | _table(_ORDER),
        "bar": _table(_BAR),
        "position": _table(_POSITION),
        "stop": _table(_STOP),
        "profit": _table(_PROFIT),
        "symbol": _table(_SYMBOL),
    }


_TABLES = _compiled()
_ROLES = {folded(key): role for role, keys in _CONTAINERS.items() for key in keys.split()}
_OPENS = {"top": _ROLES, "strategy": _ROLES, "order": {k: v for k, v in _ROLES.items() if v in {"stop", "profit"}}}


def read(document: Mapping[str, Any]) -> Spelled:
    """Sort a JSON object's values by field; of several spellings of one field the best known one comes first."""
    places: dict[str, list[tuple[str, Any]]] = {}
    ranks: dict[str, list[int]] = {}
    extra: dict[str, Any] = {}
    _sort(document, "top", "", _Sorted(places, ranks, extra))
    return Spelled(places, extra)


class _Sorted(NamedTuple):
    places: dict[str, list[tuple[str, Any]]]
    ranks: dict[str, list[int]]
    extra: dict[str, Any]


def _sort(document: Mapping[str, Any], role: str, prefix: str, found: _Sorted) -> None:
    places, ranks, extra = found
    for key, value in document.items():
        field, rank, inside = _look_up(role, key) if len(key) <= _MAX_KEY else ("", 0, "")
        path = prefix + key if prefix else key
        if value.__class__ is dict and field != "indicators":
            if inside:
                _sort(value, inside, f"{path}.", found)
            else:
                extra[path] = value
        elif not field:
            extra[path] = value
        elif field not in places:
            places[field] = [(path, value)]
            ranks[field] = [rank]
        else:
            at = bisect_right(ranks[field], rank)
            ranks[field].insert(at, rank)
            places[field].insert(at, (path, value))


@lru_cache(maxsize=4096)
def _look_up(role: str, key: str) -> tuple[str, int, str]:
    name = folded(key)
    field, rank = _TABLES[role].get(name, ("", 0))
    return field, rank, _OPENS.get(role, {}).get(name, "")
