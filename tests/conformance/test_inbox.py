"""What every inbox promises, in memory and on the disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot_plugin import Inbox, MemoryInbox, SqliteInbox
from bot_plugin.errors import InboxFull
from bot_plugin.inbox import KEEP_AFTER_EXPIRY
from schemas.receipt import Stage
from tests.inbox_stories import START, Clock, arrival, receipt, tell_arrived

Make = Callable[..., Inbox]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def make(request: pytest.FixtureRequest, clock: Clock, tmp_path: Path) -> Make:
    if request.param == "memory":
        return lambda **options: MemoryInbox(monotonic=clock.monotonic, **options)
    path = tmp_path / "state" / "inbox.db"
    return lambda **options: SqliteInbox(path, monotonic=clock.monotonic, **options)


@pytest.fixture
async def inbox(make: Make) -> AsyncIterator[Inbox]:
    inbox = make()
    await inbox.open()
    yield inbox
    await inbox.close()


async def test_an_id_arrives_once(inbox: Inbox) -> None:
    assert inbox.arrive(arrival("a"))
    assert not inbox.arrive(arrival("a"))
    await inbox.stored()
    assert not inbox.arrive(arrival("a"))
    assert inbox.arrive(arrival("b"))


async def test_the_final_receipts_of_each_handler_are_kept(inbox: Inbox) -> None:
    inbox.arrive(arrival("a", handlers=("one", "two")))
    first, second = receipt("a", handler="one"), receipt("a", Stage.FAILED, handler="two")
    inbox.start("a", "one", at=2)
    inbox.finish(first)
    inbox.start_now("a", "two", at=3)
    inbox.finish(second)

    assert inbox.receipts("a") == (first, second)
    assert inbox.receipts("unknown") == ()


async def test_the_end_of_what_is_not_known_is_nothing(inbox: Inbox) -> None:
    inbox.finish(receipt("unknown"))
    await inbox.stored()

    assert inbox.receipts("unknown") == ()


async def test_a_withdrawal_of_what_never_arrived_keeps_it_from_arriving(inbox: Inbox) -> None:
    withdrawn = receipt("a", Stage.WITHDRAWN, handler=None)

    assert inbox.withdraw(withdrawn, forget_at=START + KEEP_AFTER_EXPIRY)
    assert not inbox.arrive(arrival("a"))
    assert inbox.receipts("a") == (withdrawn,)


async def test_a_withdrawal_of_what_arrived_is_left_to_the_caller(inbox: Inbox) -> None:
    inbox.arrive(arrival("a"))

    assert not inbox.withdraw(receipt("a", Stage.WITHDRAWN), forget_at=START + KEEP_AFTER_EXPIRY)


async def test_ids_are_forgotten_at_their_time_and_not_before(inbox: Inbox, clock: Clock) -> None:
    inbox.arrive(arrival("a", keep=1000))
    await tell_arrived(inbox, arrival("b", keep=2000))

    clock.pass_(999)
    assert inbox.prune() == 0
    clock.pass_(1)
    assert inbox.prune() == 1
    assert not inbox.arrive(arrival("b"))
    assert inbox.arrive(arrival("a"))


async def test_a_wall_clock_that_is_set_changes_nothing(inbox: Inbox, clock: Clock) -> None:
    inbox.arrive(arrival("a", keep=1000))
    clock.wall += 10**12

    assert inbox.prune() == 0


async def test_a_full_inbox_forgets_what_expired_and_refuses_where_nothing_has(make: Make, clock: Clock) -> None:
    inbox = make(limit=2)
    await inbox.open()
    inbox.arrive(arrival("short", keep=KEEP_AFTER_EXPIRY + 10))
    inbox.arrive(arrival("long", keep=KEEP_AFTER_EXPIRY + 1000))
    with pytest.raises(InboxFull, match="2 signals are remembered, and none of them has expired"):
        inbox.arrive(arrival("early"))

    await inbox.stored()
    clock.pass_(10)
    assert inbox.arrive(arrival("new", keep=KEEP_AFTER_EXPIRY + 2000))
    assert not inbox.arrive(arrival("long"))
    with pytest.raises(InboxFull):
        inbox.arrive(arrival("short"))
    await inbox.close()


async def test_a_full_inbox_still_remembers_what_it_refused_and_what_is_withdrawn(make: Make) -> None:
    inbox = make(limit=1)
    await inbox.open()
    keep = KEEP_AFTER_EXPIRY + 10
    inbox.arrive(arrival("a", keep=keep))

    assert inbox.arrive(arrival("refused", handlers=(), keep=keep))
    assert not inbox.arrive(arrival("refused"))
    with pytest.raises(InboxFull):
        inbox.withdraw(receipt("b", Stage.WITHDRAWN), forget_at=START + keep)
    await inbox.close()


async def test_who_waits_is_told_in_the_order_of_the_calls(inbox: Inbox) -> None:
    told: list[object] = []
    inbox.arrive(arrival("a"))
    inbox.when_stored(lambda error: told.append(("a", error)))
    inbox.arrive(arrival("b"))
    inbox.when_stored(lambda error: told.append(("b", error)))
    await inbox.stored()

    assert told == [("a", None), ("b", None)]


async def test_what_nobody_waits_for_is_stored_all_the_same(inbox: Inbox) -> None:
    stored = asyncio.Event()
    inbox.arrive(arrival("a"))
    inbox.when_stored(lambda _: stored.set())

    await asyncio.wait_for(stored.wait(), 5)


async def test_a_start_on_another_thread_is_stored_when_it_returns(inbox: Inbox) -> None:
    for number in range(50):
        inbox.arrive(arrival(f"a{number}"))
    waiting = [asyncio.ensure_future(inbox.stored()) for _ in range(3)]
    await asyncio.gather(*(asyncio.to_thread(inbox.start_now, f"a{number}", "act", at=1) for number in range(50)))
    await asyncio.gather(*waiting)


async def test_it_opens_again_after_it_was_closed(make: Make) -> None:
    inbox = make()
    for _ in range(2):
        await inbox.open()
        await inbox.close()
    await inbox.open()
    assert inbox.arrive(arrival("a"))
    await inbox.close()
