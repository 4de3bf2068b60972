"""The exchange itself: balances, orders and trades, kept in a folder, and found there by the next process.

``market.json`` is the test's: the prices, and how the exchange behaves. ``account.json`` is the exchange's: what became
of the orders. It knows nothing of Hummingbot.
"""

from __future__ import annotations

import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

FEE = Decimal("0.001")
"""Of the quote amount, in the quote asset, whoever makes or takes."""
BALANCES = {"BTC": "10", "ETH": "100", "USDT": "100000"}
PRICES = {"BTC-USDT": ("99.9", "100.1"), "ETH-USDT": ("9.99", "10.01")}


class Refused(Exception):
    """The exchange does not do that; the words say why."""


class Venue:
    """An account on the exchange; at most one in a process at a time."""

    def __init__(self, folder: Path) -> None:
        self._market, self._account = folder / "market.json", folder / "account.json"
        self._seen = -1
        self._news: list[dict[str, Any]] = []
        self.market: dict[str, Any] = {"online": False, "pairs": {}}
        self.account: dict[str, Any] = {"balances": BALANCES, "orders": {}, "trades": []}
        if self._account.exists():
            self.account = json.loads(self._account.read_text())
        self.look()

    @property
    def online(self) -> bool:
        return bool(self.market["online"])

    def price(self, pair: str, side: str) -> Decimal:
        """The price at which somebody else would sell ("BUY") or buy ("SELL")."""
        return Decimal(self.market["pairs"][pair]["ask" if side == "BUY" else "bid"])

    def order(self, client_id: str) -> dict[str, Any]:
        if client_id not in self.account["orders"]:
            raise Refused(f"order not found: {client_id}")
        return self.account["orders"][client_id]

    def place(self, client_id: str, pair: str, side: str, kind: str, *, amount: Decimal, limit: Decimal | None) -> str:
        """Take an order, and fill it where the price is there already; the exchange's own id for it."""
        self.look()
        if self.market.get("refuses"):
            raise Refused(self.market["refuses"])
        at = self.price(pair, side) if limit is None else limit
        order = {
            "id": f"L-{len(self.account['orders']) + 1}",
            "client_id": client_id,
            "pair": pair,
            "side": side,
            "kind": kind,
            "amount": str(amount),
            "price": str(at),
            "filled": "0",
            "state": "OPEN",
            "at": time.time(),
        }
        if kind == "LIMIT_MAKER" and self._crosses(order):
            raise Refused("it would take, and is to make")
        asset, locked = _locked(order)
        if self.available()[asset] < locked:
            raise Refused(f"insufficient balance: {locked} {asset} are asked for")
        self.account["orders"][client_id] = order
        self._match(order, takes=True)
        self._save()
        return order["id"]

    def cancel(self, client_id: str) -> None:
        order = self.order(client_id)
        if order["state"] != "OPEN":
            raise Refused(f"order not found among the open ones: {client_id} is {order['state']}")
        order["state"] = "CANCELED"
        self._save()

    def balances(self) -> dict[str, Decimal]:
        return {asset: Decimal(amount) for asset, amount in self.account["balances"].items()}

    def available(self) -> dict[str, Decimal]:
        """Balances without what open orders hold."""
        free = self.balances()
        for order in self.account["orders"].values():
            if order["state"] == "OPEN":
                asset, locked = _locked(order)
                free[asset] -= locked
        return free

    def trades(self, client_id: str) -> list[dict[str, Any]]:
        return [trade for trade in self.account["trades"] if trade["client_id"] == client_id]

    def look(self) -> bool:
        """Whether the test has set the market anew; orders that its prices reach are filled."""
        changed = self._market.stat().st_mtime_ns if self._market.exists() else -1
        if changed == self._seen:
            return False
        self._seen, self.market = changed, json.loads(self._market.read_text())
        for order in self.account["orders"].values():
            self._match(order, takes=False)
        self._save()
        return True

    def news(self) -> list[dict[str, Any]]:
        """Trades, each with the state that its order has then, since they were asked for last."""
        news, self._news = self._news, []
        return news

    def _crosses(self, order: dict[str, Any]) -> bool:
        there, limit = self.price(order["pair"], order["side"]), Decimal(order["price"])
        return order["kind"] == "MARKET" or (there <= limit if order["side"] == "BUY" else there >= limit)

    def _match(self, order: dict[str, Any], *, takes: bool) -> None:
        if order["state"] != "OPEN" or not self.online or not self._crosses(order):
            return
        amount, filled = Decimal(order["amount"]), Decimal(order["filled"])
        now = min(amount - filled, amount * Decimal(self.market["pairs"][order["pair"]].get("share", "1")))
        if now:
            self._trade(order, now, self.price(order["pair"], order["side"]) if takes else Decimal(order["price"]))
        if Decimal(order["filled"]) == amount:
            order["state"] = "FILLED"
        elif order["kind"] == "MARKET":
            order["state"] = "CANCELED"
        self._news.append({"trade": self.account["trades"][-1] if now else None, "order": dict(order)})

    def _trade(self, order: dict[str, Any], amount: Decimal, price: Decimal) -> None:
        base, quote = order["pair"].split("-")
        cost = amount * price
        way = 1 if order["side"] == "BUY" else -1
        balances = self.balances()
        balances[base] = balances.get(base, Decimal(0)) + way * amount
        balances[quote] = balances.get(quote, Decimal(0)) - way * cost - cost * FEE
        self.account["balances"] = {asset: str(balance) for asset, balance in balances.items()}
        order["filled"] = str(Decimal(order["filled"]) + amount)
        self.account["trades"].append(
            {
                "id": f"T-{len(self.account['trades']) + 1}",
                "client_id": order["client_id"],
                "order_id": order["id"],
                "pair": order["pair"],
                "side": order["side"],
                "amount": str(amount),
                "price": str(price),
                "fee": str(cost * FEE),
                "at": time.time(),
            }
        )

    def _save(self) -> None:
        made = self._account.with_suffix(".new")
        made.write_text(json.dumps(self.account, indent=1))
        made.replace(self._account)


def _locked(order: dict[str, Any]) -> tuple[str, Decimal]:
    base, quote = order["pair"].split("-")
    rest = Decimal(order["amount"]) - Decimal(order["filled"])
    return (quote, rest * Decimal(order["price"]) * (1 + FEE)) if order["side"] == "BUY" else (base, rest)
