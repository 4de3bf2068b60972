"""The life of one signal as lines: every station with its time and the milliseconds since the one before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.cli.signal_line import predicted
from schemas.fields import instant

Entry = Mapping[str, Any]

_ORDERS = 5
"""Orders of a receipt that a line names."""


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """A station at a time."""

    at: datetime
    what: str


def life_lines(life: Entry) -> list[str]:
    """The signal's head, then its stations in the order of their times."""
    steps = sorted(_steps(life), key=lambda step: step.at)
    return [*_head(life), "", *_timed(steps), *_open(life)]


def _head(life: Entry) -> Iterator[str]:
    yield f"{life['id']}"
    yield f"  {life['body']} of {life['source']} for {life['instrument']}, {life['mode']}, {life.get('effect') or '-'}"
    envelope = life.get("envelope", {})
    if life["body"] == "prediction":
        yield f"  {predicted(envelope.get('data', {}))}; true until {life['expires_at']}"
    if envelope.get("causationid"):
        yield f"  made of {envelope['causationid']}"
    if life.get("possible_duplicate_of"):
        yield f"  possibly a duplicate of {life['possible_duplicate_of']}"


def _steps(life: Entry) -> Iterator[Step]:
    yield Step(instant(life["accepted_at"]), "accepted: on disk")
    fired = life.get("envelope", {}).get("data", {}).get("fired_at")
    if fired:
        yield Step(instant(fired), "fired, by the sender's clock")
    for delivery in life.get("deliveries", []):
        yield from _delivery(delivery)
    told: set[str] = set()
    for receipt in life.get("receipts", []):
        for step in _receipt(receipt):
            if step.what not in told:
                told.add(step.what)
                yield step


def _delivery(delivery: Entry) -> Iterator[Step]:
    where, station = delivery["destination"], delivery["station"]
    reason = f": {delivery['reason']}" if delivery.get("reason") else ""
    tries = f" (attempt {delivery['attempts']})" if delivery.get("attempts", 0) > 1 else ""
    published_at = delivery.get("published_at")
    if published_at and station != "published":
        yield Step(instant(published_at), f"{where} published  {delivery['topic']}")
        yield Step(instant(delivery["at"]), f"{where} {station}{reason}{tries}")
    else:
        yield Step(instant(delivery["at"]), f"{where} {station}{reason}{tries}  {delivery['topic']}")


def _receipt(receipt: Entry) -> Iterator[Step]:
    who = f"bot {receipt['bot']}" + (f", {receipt['handler']}" if receipt.get("handler") else "")
    for name, word in (("received_at", "received"), ("started_at", "started")):
        if receipt.get(name):
            yield Step(instant(receipt[name]), f"{who}: {word}")
    if not receipt.get(f"{receipt['stage']}_at"):
        reason = f": {receipt['reason']}" if receipt.get("reason") else ""
        yield Step(instant(receipt["at"]), f"{who}: {receipt['stage']}{_orders(receipt)}{reason}")
    if receipt.get("stored_at"):
        yield Step(instant(receipt["stored_at"]), f"{who}: receipt {receipt['stage']} on the gateway's disk")


def _orders(receipt: Entry) -> str:
    """The orders that followed, as far as a line has room for them."""
    ids = receipt.get("order_ids") or []
    more = f" and {len(ids) - _ORDERS} more" if len(ids) > _ORDERS else ""
    return f" ({'order' if len(ids) == 1 else 'orders'} {', '.join(ids[:_ORDERS])}{more})" if ids else ""


def _timed(steps: Iterable[Step]) -> Iterator[str]:
    before: datetime | None = None
    for step in steps:
        between = (step.at - before).total_seconds() * 1000 if before else None
        gap = "" if between is None else f"+{between:.1f} ms"
        yield f"  {step.at:%H:%M:%S.%f}  {gap:>14}  {step.what}"
        before = step.at


def _open(life: Entry) -> Iterator[str]:
    deliveries = life.get("deliveries", [])
    awaiting = [bot for delivery in deliveries if delivery["station"] == "published" for bot in delivery["awaiting"]]
    if awaiting and instant(life["expires_at"]) <= datetime.now(UTC):
        yield f"  expired at {life['expires_at']} without a receipt of {', '.join(awaiting)}; it ends in some seconds"
        return
    if awaiting:
        yield f"  waits for a receipt of {', '.join(awaiting)}, and is published again until then"
    if awaiting or any(delivery["station"] in {"waiting", "held", "publishing"} for delivery in deliveries):
        yield f"  not settled; it expires at {life['expires_at']}"
    elif not life.get("receipts") and any(
        delivery["station"] == "published" for delivery in life.get("deliveries", [])
    ):
        yield "  no bot has sent a receipt"
