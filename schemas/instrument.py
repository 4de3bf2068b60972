"""What is traded: venue, base, quote, settle and kind, and the pair as Hummingbot and ccxt spell it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from marshmallow import fields, validate

from schemas.fields import Choice
from schemas.record import RecordSchema


class Kind(StrEnum):
    """The kind of market."""

    SPOT = "spot"
    PERPETUAL = "perpetual"
    FUTURE = "future"
    FOREX = "forex"
    EQUITY = "equity"
    INDEX = "index"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """An instrument as far as it is known; ``raw`` always holds the text that it was read from.

    Args:
        raw: the text as it arrived, ``BINANCE:BTCUSDT.P``.
        venue: the data feed or exchange in upper case, ``BINANCE``; not always the venue that will trade.
        base: ``BTC``; None where unknown.
        quote: ``USDT``; None where unknown.
        settle: the settlement currency of a derivative; None for spot or where unknown.
        kind: the kind of market.
        pair: as Hummingbot spells it, ``BTC-USDT``, the same for spot and derivative; None where unknown.
        ccxt: as ccxt spells it, ``BTC/USDT:USDT``; None where unknown.
    """

    raw: str
    venue: str | None = None
    base: str | None = None
    quote: str | None = None
    settle: str | None = None
    kind: Kind = Kind.UNKNOWN
    pair: str | None = None
    ccxt: str | None = None

    @property
    def name(self) -> str:
        """The name in topics and partition keys: ``BTC-USDT``, ``BTC-USDT-PERP``, ``BTC-USDT-261225``, else ``raw``."""
        if self.pair is None:
            return self.raw
        if self.kind is Kind.PERPETUAL:
            return f"{self.pair}-PERP"
        if self.kind is Kind.FUTURE and self.ccxt is not None and "-" in self.ccxt:
            return f"{self.pair}-{self.ccxt.rpartition('-')[2]}"
        return self.pair


class InstrumentSchema(RecordSchema):
    """Loads an Instrument."""

    record = Instrument

    raw = fields.String(required=True, validate=validate.Length(min=1, max=256))
    venue = fields.String()
    base = fields.String()
    quote = fields.String()
    settle = fields.String()
    kind = Choice(Kind)
    pair = fields.String(validate=validate.Regexp(r"[^\s/-]+-[^\s/-]+\Z"))
    ccxt = fields.String()
