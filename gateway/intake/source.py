"""A source of signals, as intake needs to know it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from gateway.errors import Refused
from schemas.instrument import Instrument
from schemas.topics import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Ttl:
    """Seconds from base to expiry, by what the signal does. What cannot be told is an open."""

    open: float = 60.0
    reduce: float = 900.0
    alert: float = 300.0


class Door(StrEnum):
    """The address that a request came to, which says what may be in it."""

    HOOK = "hooks"
    SIGNALS = "signals"
    PREDICTIONS = "predictions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What a source of predictions says.

    Args:
        models: the names of its models; another one is refused.
        interval: seconds between two predictions of one instrument; None where that is not known.
        classes: what the entries of a list of probabilities are, ``short``, ``neutral`` and ``long`` in any order;
            empty where probabilities must be named.
        ml_signals: whether Hummingbot's ``ai_livestream`` gets them too; then each has probabilities and a pair.
    """

    models: tuple[str, ...]
    interval: float | None = None
    classes: tuple[str, ...] = ()
    ml_signals: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HummingbotEvent:
    """Stock Hummingbot bots that get this source's signals as external events of one name."""

    bots: tuple[str, ...]
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source of signals.

    Args:
        name: its name in the URL, the topics and the metrics.
        mode: what its signals are for.
        instrument: the instrument of all its signals, whatever they say; None to read it from the body.
        symbols: instruments by the raw text they are spelled with, in upper case; they win over what the text tells.
        ttl: how long its signals are true.
        max_age: seconds since ``fired_at`` past which an open is refused at intake.
        drop_duplicates: whether a repeated body is dropped, or accepted and marked.
        query_key: whether the secret may come as ``?key=``.
        body_key: the body field that may hold the secret; None for none.
        secret_keys: body keys to redact besides the well-known ones.
        bots: the bots that must receipt its signals; where none is named, those whose cards ask for them.
        hummingbot: the stock bots that get its signals too.
        predictions: what its predictions are like; None for a source of trades and alerts.
    """

    name: str
    mode: Mode = Mode.LIVE
    instrument: Instrument | None = None
    symbols: Mapping[str, Instrument] = field(default_factory=dict)
    ttl: Ttl = field(default_factory=Ttl)
    max_age: float = 60.0
    drop_duplicates: bool = True
    query_key: bool = False
    body_key: str | None = None
    secret_keys: tuple[str, ...] = ()
    bots: tuple[str, ...] = ()
    hummingbot: tuple[HummingbotEvent, ...] = ()
    predictions: Predictions | None = None

    @property
    def stock_bots(self) -> Iterator[tuple[str, str]]:
        """The stock bots that get its signals, each with the name of its event."""
        return ((bot, stock.event) for stock in self.hummingbot for bot in stock.bots)

    @property
    def pairs(self) -> tuple[str, ...]:
        """The pairs that its configuration names."""
        named = (self.instrument,) if self.instrument is not None else tuple(self.symbols.values())
        return tuple(dict.fromkeys(instrument.pair for instrument in named if instrument.pair))


class Keys(Protocol):
    """The sources' secrets, which only need comparing."""

    def holds(self, source: str, secret: str) -> bool:
        """Whether the secret opens the source; takes the same time for an unknown source and for a wrong secret."""
        ...

    def lasts(self, source: str, secret: str) -> bool:
        """Whether the secret opens the source now, and for more than one request."""
        ...

    def signed(self, source: str, signature: Signature, body: bytes) -> bool:
        """Whether one of the source's signing secrets made the signature of the body; takes the same time likewise."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A Standard Webhooks signature, as its three headers spell it."""

    id: str
    timestamp: str
    signatures: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request at the public listener, as it came: nothing in it is trusted.

    Args:
        source: the name in the path.
        secrets: the secrets shown: ``path`` and ``query``, or ``bearer``, as far as present.
        body: the bytes after decompression.
        at: microseconds since the epoch, by this machine's clock.
        idempotency_key: the header's value; None where there is none.
        traceparent: the W3C trace context header; None where there is none or it is malformed.
        door: the address that it came to.
        signature: what signs the body; None where nothing does.
    """

    source: str
    secrets: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    at: int
    idempotency_key: str | None = None
    traceparent: str | None = None
    door: Door = Door.HOOK
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a request that has many, each a document of its own.

    Args:
        number: its number in the body, from 1.
        body: its bytes.
        refused: why it is refused unread; None where it is to be read.
    """

    number: int
    body: bytes
    refused: Refused | None = None
