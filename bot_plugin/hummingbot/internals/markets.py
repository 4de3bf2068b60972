"""Hummingbot's connectors, as they come and go, and what they say of orders."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from hummingbot.core.event.event_forwarder import SourceInfoEventForwarder
from hummingbot.core.event.events import MarketEvent as Tag

from bot_plugin.hummingbot.internals.fit import offers, require

log = logging.getLogger("bot_plugin.hummingbot")

TOLD = (
    "BuyOrderCreated",
    "BuyOrderCompleted",
    "SellOrderCreated",
    "SellOrderCompleted",
    "OrderFilled",
    "OrderCancelled",
    "OrderExpired",
    "OrderFailure",
    "FundingPaymentCompleted",
    "RangePositionLiquidityAdded",
    "RangePositionLiquidityRemoved",
    "RangePositionUpdateFailure",
)
"""The events that Hummingbot tells the world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketEvent:
    """What a connector says of an order.

    Args:
        connector: Hummingbot's connector object.
        market: its name.
        type: one of TOLD.
        said: Hummingbot's own event; its attributes are those of its version.
    """

    connector: Any
    market: str
    type: str
    said: Any

    @property
    def members(self) -> dict[str, Any]:
        """Its attributes as Hummingbot tells them; fees in the shape of its database."""
        said = self.said
        if is_dataclass(said) and not isinstance(said, type):
            return asdict(said)
        return {name: _written(value) for name, value in said._asdict().items()} if hasattr(said, "_asdict") else {}


Hear = Callable[[MarketEvent], None]


class Markets:
    """The connectors of an application, those of later starts too.

    Args:
        application: the running Hummingbot.

    Raises:
        Unfit: its connectors are made otherwise.
    """

    def __init__(self, application: Any) -> None:
        self._manager = require(application, "trading_core.connector_manager")
        require(self._manager, "create_connector")
        self._hear: list[Hear] = []
        self._tags = {getattr(Tag, name): name for name in TOLD if offers(Tag, name)}
        self._watched: list[tuple[Any, Any]] = []

    def listen(self, hear: Hear) -> None:
        """Call a function with each event from now on, on Hummingbot's loop."""
        self._hear.append(hear)

    def unlisten(self, hear: Hear) -> None:
        """Call it no more."""
        self._hear = [each for each in self._hear if each != hear]

    def watch(self) -> None:
        """Begin to listen to the connectors that are there, and to each that is made."""
        make = self._manager.create_connector

        def create_connector(*arguments: Any, **options: Any) -> Any:
            connector = make(*arguments, **options)
            self._leave(lambda known: known not in self.now)
            self._take(connector)
            return connector

        self._manager.create_connector = create_connector
        for connector in self.now:
            self._take(connector)

    def unwatch(self) -> None:
        """Leave them alone."""
        self._manager.__dict__.pop("create_connector", None)
        self._leave(lambda _: True)

    @property
    def now(self) -> tuple[Any, ...]:
        """The connectors that there are."""
        return tuple(require(self._manager, "connectors").values())

    @staticmethod
    def name(connector: Any) -> str:
        """What a connector is called, as in Hummingbot's database."""
        return str(getattr(connector, "display_name", None) or getattr(connector, "name", ""))

    def _take(self, connector: Any) -> None:
        if any(known is connector for known, _ in self._watched):
            return
        names = {tag.value: name for tag, name in self._tags.items()}

        def heard(tag: int, source: Any, said: Any) -> None:
            self._tell(MarketEvent(connector=source, market=self.name(source), type=names[tag], said=said))

        forwarder = SourceInfoEventForwarder(heard)
        self._watched.append((connector, forwarder))  # which has it weakly
        for tag in self._tags:
            connector.add_listener(tag, forwarder)

    def _leave(self, is_left: Callable[[Any], bool]) -> None:
        """Listen no more to some; one that is gone may speak until there is another."""
        for connector, forwarder in [each for each in self._watched if is_left(each[0])]:
            self._watched.remove((connector, forwarder))
            for tag in self._tags:
                connector.remove_listener(tag, forwarder)

    def _tell(self, event: MarketEvent) -> None:
        for hear in self._hear:
            try:
                hear(event)
            except Exception:
                log.exception("%s of %s was not taken", event.type, event.market)


def middle_price(connector: Any, pair: str) -> Any | None:
    """Between what is paid and asked now; None where that is not known."""
    try:
        price = require(connector, "get_mid_price")(pair)
    except Exception:  # noqa: BLE001  # a connector without an order book, of which there are many kinds
        return None
    return None if price is None or price.is_nan() else price


def fee_in(quote: str, event: MarketEvent) -> Any | None:
    """What a fill cost in its quote asset; None where the rate of the fee's asset is not known."""
    said = event.said
    try:
        return require(said.trade_fee, "fee_amount_in_token")(said.trading_pair, said.price, said.amount, quote)
    except Exception:  # noqa: BLE001  # Hummingbot has no rate for it
        return None


def _written(value: Any) -> Any:
    """A fee as Hummingbot writes it; every other value as it is."""
    return value.to_json() if offers(value, "to_json") and offers(value, "flat_fees") else value
