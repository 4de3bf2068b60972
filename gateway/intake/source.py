"""A source of signals, as intake needs to know it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from schemas.instrument import Instrument
from schemas.topics import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Ttl:
    """Seconds from base to expiry, by what the signal does. What cannot be told is an open."""

    open: float = 60.0
    reduce: float = 900.0
    alert: float = 300.0


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

    @property
    def stock_bots(self) -> Iterator[tuple[str, str]]:
        """The stock bots that get its signals, each with the name of its event."""
        return ((bot, stock.event) for stock in self.hummingbot for bot in stock.bots)


class Keys(Protocol):
    """The sources' secrets, which only need comparing."""

    def holds(self, source: str, secret: str) -> bool:
        """Whether the secret opens the source; takes the same time for an unknown source and for a wrong secret."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request at a webhook, as it came: nothing in it is trusted.

    Args:
        source: the name in the path.
        secrets: the secrets shown: ``path`` and ``query``, as far as present.
        body: the bytes after decompression.
        at: microseconds since the epoch, by this machine's clock.
        idempotency_key: the header's value; None where there is none.
        traceparent: the W3C trace context header; None where there is none or it is malformed.
    """

    source: str
    secrets: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    at: int
    idempotency_key: str | None = None
    traceparent: str | None = None
