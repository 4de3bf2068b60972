"""The words that alerts use for actions, sides, order types and units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from schemas.secrets import folded
from schemas.trade import Action, Effect, OrderType, Side, Unit


@dataclass(frozen=True, slots=True)
class Intent:
    """What an action word asks for; ``side`` is the position's side that it opens or closes, where it says so."""

    action: Action | None
    side: Side | None = None
    effect: Effect | None = None


MAX_WORD = 40

_BUY, _SELL, _CLOSE, _CANCEL = Action.BUY, Action.SELL, Action.CLOSE, Action.CANCEL
_LONG, _SHORT, _OPEN, _REDUCE = Side.LONG, Side.SHORT, Effect.OPEN, Effect.REDUCE

_ACTIONS = {
    Intent(_BUY): "buy bid buysignal bullish bull strongbuy",
    Intent(_SELL): "sell ask sellsignal bearish bear strongsell",
    Intent(
        _BUY, _LONG, _OPEN
    ): "long enterlong entrylong longentry longenter golong openlong longopen buylong buytoopen longsignal",
    Intent(
        _SELL, _SHORT, _OPEN
    ): "short entershort entryshort shortentry shortenter goshort openshort shortopen sellshort selltoopen shortsignal",
    Intent(_CLOSE, None, _REDUCE): "close exit flat flatten closeall exitall closeposition exitposition closepositions "
    "closeatmarketprice",
    Intent(_CLOSE, _LONG, _REDUCE): "closelong exitlong longexit longclose selltoclose closebuy exitbuy",
    Intent(_CLOSE, _SHORT, _REDUCE): "closeshort exitshort shortexit shortclose buytoclose buytocover cover "
    "closesell exitsell",
    Intent(_CANCEL, None, _REDUCE): "cancel cancelall cancelorder cancelorders cancelallorders",
    Intent(None, None, _OPEN): "add increase scalein open enter entry addfunds addfundsinquote",
    Intent(None, None, _REDUCE): "reduce decrease scaleout partialclose",
}
_SIDES = {
    Side.LONG: "long buy bull bullish",
    Side.SHORT: "short sell bear bearish",
    Side.FLAT: "flat none closed exit neutral",
}
_ORDER_TYPES = {
    OrderType.MARKET: "market mkt marketorder",
    OrderType.LIMIT: "limit lmt limitorder",
    OrderType.STOP: "stop stppmarketpmktporder",
    OrderType.STOP_LIMIT: "stoplimit stplmt",
}
_UNITS = {
    Unit.BASE: "base basecurrency coin coins",
    Unit.QUOTE: "quote quotecurrency usd usdt dollar dollars dollaramount cash cost notional",
    Unit.CONTRACTS: "contract contracts fixed fixedquantity quantity qty units shares lots lot",
    Unit.PERCENT: "percent percents percentage pct % percentagebalance percentofequity percentofposition "
    "percentofbalance "
    "equitypercent balancepercent",
    Unit.RISK_PERCENT: "riskpercent riskpercentage riskpct",
}


_Meaning = TypeVar("_Meaning")


def _spellings(table: Mapping[_Meaning, str]) -> dict[str, _Meaning]:
    return {word: meaning for meaning, words in table.items() for word in words.split()}


ACTIONS = _spellings(_ACTIONS)
SIDES = _spellings(_SIDES)
ORDER_TYPES = _spellings(_ORDER_TYPES)
UNITS = _spellings(_UNITS)
"""Each by folded spelling."""

ACCEPTED_ACTIONS = (
    "buy, sell, long, short, close, closelong, closeshort, exit, flat, cancel, add, ENTER_LONG, EXIT_SHORT"
)


def meaning(table: Mapping[str, _Meaning], word: object) -> _Meaning | None:
    """Look a word up in one of the tables, in any spelling; None for what is no text or not known."""
    if not isinstance(word, str) or len(word) > MAX_WORD:
        return None
    return table.get(word) or table.get(folded(word))
