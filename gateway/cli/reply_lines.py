"""What a bot answered, as lines; whatever it is, nothing of it is taken for granted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway.cli.output import json_text
from schemas.fields import from_micros, instant_text
from schemas.times import any_time

Reply = Mapping[str, Any]
"""A bot's answer: ``status``, ``msg``, and by name what its command answers besides."""

Lines = Callable[[Reply], Iterator[str]]

_NAMES = frozenset({"exchange", "asset"})
_SPOKEN = frozenset({"status", "msg"})


def plain(reply: Reply) -> Iterator[str]:
    """The bot's words, then whatever else there is; *done* where there is nothing."""
    words = _words(reply)
    rest = [f"{name}: {_text(value)}" for name, value in reply.items() if name not in _SPOKEN and value is not None]
    yield from words + rest or ["done"]


def status(reply: Reply) -> Iterator[str]:
    """The status as text, wherever the bot put it."""
    data = reply.get("data")
    yield from _words(reply) + ([] if data is None else _text(data).splitlines()) or ["it says nothing"]


def history(reply: Reply) -> Iterator[str]:
    """A line for each trade."""
    trades = reply.get("trades")
    if not isinstance(trades, list):
        yield from plain(reply)
        return
    yield from _words(reply)
    yield from map(_trade, trades)
    yield f"{len(trades)} {'trade' if len(trades) == 1 else 'trades'}"


def balance(reply: Reply) -> Iterator[str]:
    """A table: exchange, asset, how much, and how much of it is free; a column that no row fills is left out."""
    data = reply.get("data")
    if not isinstance(data, Mapping):
        yield from plain(reply)
        return
    yield from _words(reply)
    rows = [("exchange", "asset", "total", "available"), *_holdings(data)]
    if len(rows) == 1:
        yield "it holds nothing"
        return
    filled = [column for column in zip(*rows, strict=True) if any(column[1:])]
    sides = ["<" if column[0] in _NAMES else ">" for column in filled]
    widths = [max(map(len, column)) for column in filled]
    for row in zip(*filled, strict=True):
        cells = (f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True))
        yield "  ".join(cells).rstrip()


def changed(reply: Reply) -> Iterator[str]:
    """What was changed, and nothing of the rest; everything where the bot does not say what."""
    changes = reply.get("changes")
    yield from config({**reply, "config": None} if isinstance(changes, list) and changes else reply)


def config(reply: Reply) -> Iterator[str]:
    """What was changed, then the configuration, a line for each key."""
    yield from _words(reply)
    changes, settings = reply.get("changes"), reply.get("config")
    for change in changes if isinstance(changes, list) else []:
        yield f"changed {': '.join(map(_text, change)) if isinstance(change, list) else _text(change)}"
    if isinstance(settings, Mapping):
        yield from (f"{name}: {_text(value)}" for name, value in flat(settings))
    elif settings is not None:
        yield _text(settings)


def _words(reply: Reply) -> list[str]:
    return str(reply.get("msg") or "").strip().splitlines()


def _trade(trade: Any) -> str:
    if not isinstance(trade, Mapping):
        return _text(trade)
    micros = any_time(trade.get("trade_timestamp"))
    at = "" if micros is None else instant_text(from_micros(micros))
    side, quantity, symbol, price = (
        _text(trade.get(name, "?")) for name in ("trade_type", "quantity", "symbol", "price")
    )
    return f"{at:<27}  {side:<4} {quantity} {symbol} at {price}  {_text(trade.get('market', ''))}".rstrip()


def _holdings(data: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for exchange, assets in data.items():
        for asset, held in assets.items() if isinstance(assets, Mapping) else [("", assets)]:
            told = held if isinstance(held, Mapping) else {"total": held}
            yield exchange, asset, _text(told.get("total", "")), _text(told.get("available", ""))


def flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Nested objects as one, whose names have dots."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value, indent=None)
