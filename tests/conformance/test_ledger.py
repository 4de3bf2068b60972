"""What every memory of commands promises, whatever is behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bot_plugin.commands.ledger import KEEP, Entry, Ledger, LedgerFull
from bot_plugin.commands.memory import MemoryLedger
from bot_plugin.commands.sqlite import SqliteLedger

HOUR = 3_600_000_000
FINGERPRINT = b"f" * 32


class Clock:
    """A clock that nobody sets, and a test moves."""

    def __init__(self) -> None:
        self.micros = 5

    def __call__(self) -> int:
        return self.micros


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=[MemoryLedger, SqliteLedger])
def make(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Callable[..., Ledger]:
    def make(**bounds: Any) -> Ledger:
        if request.param is MemoryLedger:
            return MemoryLedger(monotonic=clock, **bounds)
        return SqliteLedger(tmp_path / "demo.commands.db", monotonic=clock, **bounds)

    return make


@pytest.fixture
async def ledger(make: Callable[..., Ledger]) -> AsyncIterator[Ledger]:
    ledger = make(rows=3, size=20)
    await ledger.open()
    yield ledger
    await ledger.close()


async def run(ledger: Ledger, key: bytes, reply: bytes | None = b"reply", *, harmless: bool = False) -> None:
    await ledger.begin(key, FINGERPRINT, harmless=harmless)
    if reply is not None:
        await ledger.finish(key, reply)


async def test_a_call_is_unknown_until_it_begins_and_has_no_reply_until_it_ends(ledger: Ledger) -> None:
    assert await ledger.find(b"a") is None
    await ledger.begin(b"a", FINGERPRINT, harmless=False)
    assert await ledger.find(b"a") == Entry(fingerprint=FINGERPRINT)
    await ledger.finish(b"a", b"reply")
    assert await ledger.find(b"a") == Entry(fingerprint=FINGERPRINT, reply=b"reply")
    assert await ledger.find(b"b") is None


async def test_a_call_is_forgotten_after_a_day_and_not_before(ledger: Ledger, clock: Clock) -> None:
    await run(ledger, b"a")
    clock.micros += KEEP - 1
    await run(ledger, b"b")
    assert await ledger.find(b"a") is not None
    clock.micros += 1
    await run(ledger, b"c")
    assert await ledger.find(b"a") is None
    assert await ledger.find(b"b") is not None


async def test_where_there_is_no_room_a_call_is_refused_and_nothing_changes(ledger: Ledger) -> None:
    for key in (b"a", b"b", b"c"):
        await run(ledger, key)

    with pytest.raises(LedgerFull, match="3 commands of the last 24 hours"):
        await run(ledger, b"d")

    assert await ledger.find(b"d") is None
    assert [await ledger.find(key) is not None for key in (b"a", b"b", b"c")] == [True] * 3


async def test_harmless_calls_that_ended_make_room_the_oldest_first(ledger: Ledger) -> None:
    await run(ledger, b"a", None, harmless=True)
    await run(ledger, b"b", harmless=True)
    await run(ledger, b"c", harmless=True)
    await run(ledger, b"d")
    assert await ledger.find(b"b") is None
    await run(ledger, b"e")
    assert await ledger.find(b"c") is None

    with pytest.raises(LedgerFull):
        await run(ledger, b"f")

    assert await ledger.find(b"a") == Entry(fingerprint=FINGERPRINT)


async def test_room_comes_back_when_the_day_is_over(ledger: Ledger, clock: Clock) -> None:
    for key in (b"a", b"b", b"c"):
        await run(ledger, key)
    clock.micros += KEEP
    await run(ledger, b"d")

    assert await ledger.find(b"d") is not None


async def test_the_oldest_replies_go_where_there_are_too_many_bytes_and_their_calls_stay(ledger: Ledger) -> None:
    for key in (b"a", b"b", b"c"):
        await run(ledger, key, b"x" * 9)

    assert [await ledger.find(key) for key in (b"a", b"b", b"c")] == [
        Entry(fingerprint=FINGERPRINT, reply=b""),
        Entry(fingerprint=FINGERPRINT, reply=b"x" * 9),
        Entry(fingerprint=FINGERPRINT, reply=b"x" * 9),
    ]


async def test_a_reply_that_is_larger_than_all_may_be_is_not_kept(ledger: Ledger) -> None:
    await run(ledger, b"a", b"x" * 9)
    await run(ledger, b"b", b"x" * 21)

    assert await ledger.find(b"a") == Entry(fingerprint=FINGERPRINT, reply=b"x" * 9)
    assert await ledger.find(b"b") == Entry(fingerprint=FINGERPRINT, reply=b"")


async def test_the_first_reply_stays(ledger: Ledger) -> None:
    await run(ledger, b"a", b"first")
    await ledger.finish(b"a", b"second")

    assert await ledger.find(b"a") == Entry(fingerprint=FINGERPRINT, reply=b"first")


async def test_a_reply_to_what_is_not_known_changes_nothing(ledger: Ledger) -> None:
    await ledger.finish(b"a", b"x" * 20)
    await run(ledger, b"b", b"x" * 20)

    assert await ledger.find(b"a") is None
    assert await ledger.find(b"b") == Entry(fingerprint=FINGERPRINT, reply=b"x" * 20)
