"""What the API shows: the journal's entries as JSON values, and pages of them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from operator import attrgetter
from typing import Any, TypeVar

from aiohttp.web import Response

from gateway.journal.model import Delivered, Depth, Life, Refusal
from schemas.fields import from_micros, instant_text
from schemas.receipt import Receipt
from schemas.record import wire

Row = TypeVar("Row")

_JSON = {"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def answer(document: Mapping[str, Any], *, status: int = 200) -> Response:
    """An answer of the API."""
    return Response(status=status, body=json.dumps(document).encode(), headers=_JSON)


def at(micros: int) -> str:
    """Spell microseconds since the epoch as RFC 3339."""
    return instant_text(from_micros(micros))


def signal(life: Life) -> dict[str, Any]:
    """A signal's life."""
    view = {name: getattr(life, name) for name in ("id", "source", "body", "mode", "instrument", "effect")}
    view |= {
        "accepted_at": at(life.accepted_at),
        "expires_at": at(life.expires_at),
        "envelope": json.loads(life.envelope),
        "deliveries": [_delivery(delivered) for delivered in life.deliveries],
        "receipts": [_receipt(receipt, stored_at=stored_at) for stored_at, receipt in life.receipts],
    }
    if life.possible_duplicate_of is not None:
        view["possible_duplicate_of"] = life.possible_duplicate_of
    return view


def refusal(refused: Refusal) -> dict[str, Any]:
    """A refused request."""
    return {
        "id": refused.id,
        "source": refused.source,
        "at": at(refused.at),
        "code": refused.code,
        "size": refused.size,
        "errors": [wire(fault) for fault in refused.faults],
    }


def outbox(depth: Depth) -> dict[str, Any]:
    """How much waits for the broker, and for receipts."""
    oldest = None if depth.oldest is None else at(depth.oldest)
    return {"waiting": depth.waiting, "oldest": oldest, "awaiting": depth.awaiting}


def _delivery(delivered: Delivered) -> dict[str, Any]:
    published_at = delivered.published_at
    return {
        "destination": delivered.destination,
        "topic": delivered.topic,
        "station": delivered.station.value,
        "at": at(delivered.at),
        "published_at": None if published_at is None else at(published_at),
        "awaiting": list(delivered.awaiting),
        "reason": delivered.reason,
        "attempts": delivered.attempts,
    }


def _receipt(receipt: Receipt, *, stored_at: int) -> dict[str, Any]:
    return {**wire(receipt), "stored_at": at(stored_at)}


async def page(fetch: Callable[[int], Awaitable[list[Row]]], *, limit: int, key: str) -> tuple[list[Row], int | None]:
    """Fetch up to ``limit`` rows, newest first, and the ``before`` of the next page.

    Rows of one instant stay on one page, as the cursor is an instant: where a page would part them, they come on the
    next one, or, where they fill it, by themselves on this one.
    """
    time: Callable[[Row], int] = attrgetter(key)
    rows = await fetch(limit + 1)
    if len(rows) <= limit:
        return rows, None
    whole = [row for row in rows[:limit] if time(row) > time(rows[limit])]
    return (whole, time(whole[-1])) if whole else await _instant(fetch, most=limit * 4, time=time)


async def _instant(
    fetch: Callable[[int], Awaitable[list[Row]]], *, most: int, time: Callable[[Row], int]
) -> tuple[list[Row], int | None]:
    """The rows of the newest instant, however many there are."""
    rows = await fetch(most)
    group = [row for row in rows if time(row) == time(rows[0])]
    if len(group) < len(rows):
        return group, time(group[-1])
    return (group, None) if len(rows) < most else await _instant(fetch, most=most * 4, time=time)
