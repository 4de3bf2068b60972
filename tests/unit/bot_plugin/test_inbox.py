"""The memory of what ran: what every inbox promises. One on disk is to be added to ``make``."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from bot_plugin import Inbox, MemoryInbox
from bot_plugin.errors import InboxFull
from bot_plugin.inbox import KEEP_AFTER_EXPIRY, Arrival
from schemas.fields import from_micros
from schemas.receipt import Receipt, Stage

_numbers = itertools.count()


class Ticks:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Ticks:
    return Ticks()


@pytest.fixture(params=[MemoryInbox])
def make(request: pytest.FixtureRequest) -> Callable[..., Inbox]:
    made: Callable[..., Inbox] = request.param
    return made


@pytest.fixture
async def inbox(make: Callable[..., Inbox], clock: Ticks) -> Inbox:
    inbox = make(monotonic=clock)
    await inbox.open()
    return inbox


def arrival(id_: str | None = None, *, forget_at: int = 1000, handlers: tuple[str, ...] = ("act",)) -> Arrival:
    id_ = id_ or f"s{next(_numbers)}"
    return Arrival(id=id_, topic="t", payload=b"{}", handlers=handlers, received_at=1, forget_at=forget_at)


def receipt(id_: str, stage: Stage = Stage.HANDLED, handler: str | None = "act") -> Receipt:
    return Receipt(signal=id_, bot="demo", stage=stage, handler=handler, at=from_micros(5))


async def test_an_id_arrives_once(inbox: Inbox) -> None:
    assert await inbox.arrive(arrival("a"))
    assert not await inbox.arrive(arrival("a"))
    assert await inbox.arrive(arrival("b"))


async def test_the_final_receipts_of_each_handler_are_kept(inbox: Inbox) -> None:
    await inbox.arrive(arrival("a", handlers=("one", "two")))
    first, second = receipt("a", handler="one"), receipt("a", Stage.FAILED, handler="two")
    await inbox.start("a", "one", at=2)
    await inbox.finish(first)
    inbox.start_now("a", "two", at=3)
    await inbox.finish(second)

    assert await inbox.receipts("a") == (first, second)
    assert await inbox.receipts("unknown") == ()


async def test_a_withdrawal_of_what_never_arrived_keeps_it_from_arriving(inbox: Inbox) -> None:
    withdrawn = receipt("a", Stage.WITHDRAWN, handler=None)

    assert await inbox.withdraw(withdrawn, forget_at=1000)
    assert not await inbox.arrive(arrival("a"))
    assert await inbox.receipts("a") == (withdrawn,)


async def test_a_withdrawal_of_what_arrived_is_left_to_the_caller(inbox: Inbox) -> None:
    await inbox.arrive(arrival("a"))

    assert not await inbox.withdraw(receipt("a", Stage.WITHDRAWN), forget_at=1000)


async def test_ids_are_forgotten_at_their_time_and_not_before(inbox: Inbox, clock: Ticks) -> None:
    await inbox.arrive(arrival("a", forget_at=1000))
    await inbox.arrive(arrival("b", forget_at=2000))

    clock.now = 998
    assert await inbox.prune() == 0
    clock.now = 999
    assert await inbox.prune() == 1
    assert not await inbox.arrive(arrival("b"))
    assert await inbox.arrive(arrival("a"))


async def test_a_full_inbox_forgets_what_expired_and_refuses_where_nothing_has(clock: Ticks) -> None:
    inbox = MemoryInbox(limit=2, monotonic=clock)
    await inbox.arrive(arrival("short", forget_at=KEEP_AFTER_EXPIRY + 10))
    await inbox.arrive(arrival("long", forget_at=KEEP_AFTER_EXPIRY + 1000))
    with pytest.raises(InboxFull, match="2 signals are remembered, and none of them has expired"):
        await inbox.arrive(arrival("early"))

    clock.now = 10
    assert await inbox.arrive(arrival("new", forget_at=KEEP_AFTER_EXPIRY + 2000))
    assert not await inbox.arrive(arrival("long"))
    assert len(inbox) == 2
    with pytest.raises(InboxFull):
        await inbox.arrive(arrival("short"))


async def test_a_full_inbox_still_remembers_what_it_refused_and_what_is_withdrawn(clock: Ticks) -> None:
    inbox = MemoryInbox(limit=1, monotonic=clock)
    forget_at = KEEP_AFTER_EXPIRY + 10
    await inbox.arrive(arrival("a", forget_at=forget_at))

    assert await inbox.arrive(arrival("refused", handlers=(), forget_at=forget_at))
    assert not await inbox.arrive(arrival("refused"))
    with pytest.raises(InboxFull):
        await inbox.withdraw(receipt("b", Stage.WITHDRAWN), forget_at=forget_at)
