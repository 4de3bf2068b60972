"""TradingView's placeholders that reached us unfilled, and why."""

from __future__ import annotations

import re
from difflib import get_close_matches

from schemas.errors import Fault

OPENING = "{{"

_PLACEHOLDER = re.compile(r"\{\{([^{}\n]{0,80})\}\}")
_KNOWN = frozenset(
    {
        "ticker",
        "exchange",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "time",
        "timenow",
        "interval",
        "syminfo.currency",
        "syminfo.basecurrency",
        "strategy.order.action",
        "strategy.order.contracts",
        "strategy.order.price",
        "strategy.order.id",
        "strategy.order.comment",
        "strategy.order.alert_message",
        "strategy.position_size",
        "strategy.market_position",
        "strategy.market_position_size",
        "strategy.prev_market_position",
        "strategy.prev_market_position_size",
    }
)


def unfilled(where: str, text: str) -> Fault:
    """Describe a text that still holds a placeholder: which one, and the likely cause."""
    match = _PLACEHOLDER.search(text)
    name = match.group(1).strip() if match else ""
    problem = f"the placeholder {{{{{name}}}}} was not filled" if match else "an opened placeholder was not filled"
    return Fault(where=where, problem=problem, found=text[:80], cause=_cause(name))


def _cause(name: str) -> str:
    if name.startswith("plot"):
        return "TradingView fills only the first 20 plots of the alert's indicator, and names in double quotes."
    if name in _KNOWN and name.startswith("strategy."):
        return "strategy.* placeholders work only in alerts on a strategy, not on an indicator or a price."
    if name in _KNOWN:
        return "TradingView fills it in an alert's Message box only; this body came from elsewhere or was edited."
    near = get_close_matches(name, _KNOWN, n=1, cutoff=0.85)
    hint = f" Was {{{{{near[0]}}}}} meant?" if near else ""
    return f"TradingView has no placeholder of this name.{hint}"
