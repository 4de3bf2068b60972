"""Drafts, clocks and receipts for the tests of the journal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from gateway.journal.model import Destination, Draft, Identity, Outcome, Station
from schemas.envelope import TRADE, Envelope, encode_head
from schemas.fields import from_micros
from schemas.receipt import Receipt, Stage
from schemas.topics import Mode

START = 1_795_352_101_000_000
SECOND = 1_000_000
_ids = count(1)


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: int = START

    def __call__(self) -> int:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


def draft(
    *,
    at: int = START,
    source: str = "btc",
    instrument: str = "BTC-USDT",
    body: str | None = None,
    key: str | None = None,
    ttl: float = 60,
    after: float = 0,
    until: float = 30,
    drop: bool = True,
    effect: str = "open",
    destinations: tuple[Destination, ...] | None = None,
    filler: int = 0,
    id_: str | None = None,
) -> Draft:
    """A draft; its body is new unless ``body`` names one."""
    number = next(_ids)
    id_ = id_ or f"00000000-0000-7000-8000-{number:012d}"
    partition = f"{source}/{instrument}"
    if destinations is None:
        destinations = (Destination(name="signals", topic=f"signals/v1/trade/{source}/{instrument}"),)
    envelope = Envelope(
        id=id_,
        source=f"/sources/{source}",
        type=TRADE,
        time=from_micros(at),
        data={"action": "buy", "message": "x" * filler},
        expirytime=from_micros(at + int(ttl * SECOND)),
        mode=Mode.LIVE,
        partitionkey=partition,
    )
    return Draft(
        id=id_,
        source=source,
        body="trade",
        mode="live",
        instrument=instrument,
        effect=effect,
        key=partition,
        accepted_at=at,
        expires_at=at + int(ttl * SECOND),
        head=encode_head(envelope),
        identity=Identity(
            key=key,
            fingerprint=(body or f"body {number}").encode(),
            duplicate_after=int(after * SECOND),
            duplicate_until=int(until * SECOND),
            drop=drop,
        ),
        destinations=destinations,
    )


def outcome(position: int, station: Station = Station.PUBLISHED, **more) -> Outcome:
    """A step of a signal's row for the versioned topic."""
    values = {"destination": "signals", "at": START + SECOND, "attempts": 1, **more}
    return Outcome(position=position, station=station, **values)


def receipt(signal: str, stage: Stage = Stage.HANDLED, **more) -> Receipt:
    """A receipt of the bot ``demo``."""
    values = {"bot": "demo", "handler": "act", "at": datetime(2026, 11, 22, 10, 15, 2, 123456, UTC), **more}
    return Receipt(signal=signal, stage=stage, **values)
