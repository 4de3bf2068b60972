"""Reads a pair as Hummingbot, ccxt or freqtrade spell it into the contract's instrument."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PAIR = re.compile(r"(?P<base>[^\s/:-]+)[-/](?P<quote>[^\s/:-]+)(:(?P<settle>[^\s/:-]+)(-(?P<until>\d{6}))?)?")


def instrument_of(pair: str) -> Mapping[str, str]:
    """Say what is traded, as far as the text shows it.

    ``BTC-USDT`` and ``BTC/USDT`` are of no known kind, ``BTC/USDT:USDT`` is a perpetual and ``BTC/USDT:USDT-261225`` a
    dated future. Any other text is sent as it is, and the gateway's source says what it means.
    """
    match = _PAIR.fullmatch(pair)
    if match is None:
        return {"raw": pair}
    base, quote, settle = match["base"], match["quote"], match["settle"]
    known = {"raw": pair, "base": base, "quote": quote, "pair": f"{base}-{quote}"}
    if settle is None:
        return known
    kind = "future" if match["until"] else "perpetual"
    return {**known, "settle": settle, "kind": kind, "ccxt": pair.replace("-", "/", 1) if "/" not in pair else pair}
