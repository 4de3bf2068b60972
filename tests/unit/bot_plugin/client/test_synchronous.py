"""The client for programs without an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from bot_plugin.client import BotClient, LinkRefused, Outcome, SyncBotClient
from bot_plugin.fake import FakeBroker
from bot_plugin.loop_thread import LoopThread
from schemas import telemetry
from tests.unit.bot_plugin.client.stand_in import SETTINGS, StandIn, done


class SyncBot:
    """A stand-in that lives in the client's loop, as the fake broker belongs to one loop."""

    def __init__(self, client: SyncBotClient, broker: FakeBroker) -> None:
        self._client, self.bot = client, StandIn(broker, answer=done(data={"pnl": 1}))
        self._ended: asyncio.Event | None = None

    def __enter__(self) -> StandIn:
        self._client.thread.do(self._begin())
        return self.bot

    def __exit__(self, *_: object) -> None:
        self._client.thread.do(self._context.__aexit__(None, None, None))

    async def _begin(self) -> None:
        self._context = self.bot.running()
        await self._context.__aenter__()

    def tell(self, msg: str) -> None:
        async def tell() -> None:
            self.bot.tell("log", telemetry.LogLine(msg=msg))

        self._client.thread.do(tell())


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
def client(broker: FakeBroker) -> Iterator[SyncBotClient]:
    with SyncBotClient(SETTINGS, connect=broker.link) as client:
        yield client


def test_every_command_and_stream_of_the_client_is_there() -> None:
    """Nothing of BotClient is missing."""
    public = {name for name in dir(BotClient) if not name.startswith("_")}

    assert public - {name for name in dir(SyncBotClient) if not name.startswith("_")} == {
        "bot",
        "call",
        "connected",
        "from_env",
        "strays",
    }


def test_a_command_waits_for_its_answer(client: SyncBotClient, broker: FakeBroker) -> None:
    """The same results, without an await."""
    with SyncBot(client, broker) as bot:
        result = client.status("bot1", within=5)
        bot.answer = lambda *_: None
        unknown = client.stop("bot1", within=0.02)

    assert (result.outcome, result.data) == (Outcome.DONE, {"pnl": 1})
    assert unknown.outcome is Outcome.UNKNOWN


def test_threads_may_call_at_once(client: SyncBotClient, broker: FakeBroker) -> None:
    """Each caller waits in its own thread."""
    results: list[Outcome] = []
    with SyncBot(client, broker):
        threads = [threading.Thread(target=lambda: results.append(client.stop("bot1").outcome)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert results == [Outcome.DONE] * 8


def test_a_stream_is_a_for_loop(client: SyncBotClient, broker: FakeBroker) -> None:
    """Lines come, and the wait for one has an end."""
    bot = SyncBot(client, broker)
    with client.logs("bot1") as lines:
        bot.tell("one")
        bot.tell("two")
        heard = [told.said.msg for _, told in zip(range(2), lines, strict=False)]

        assert heard == ["one", "two"]
        assert lines.next(within=0.02) is None
        assert lines.dropped == 0
    assert list(lines) == []


def test_bots_are_seen(client: SyncBotClient, broker: FakeBroker) -> None:
    """Discovery works without a loop too."""
    bot = StandIn(broker)

    async def beat() -> None:
        bot.beat()

    client.thread.do(beat())
    assert client.wait_alive("bot1", within=5).alive
    assert [seen.name for seen in client.bots()] == ["bot1"]


def test_a_client_that_is_not_open_says_so(broker: FakeBroker) -> None:
    """Before and after the block, it is misuse."""
    client = SyncBotClient(SETTINGS, connect=broker.link)
    with pytest.raises(RuntimeError, match="with SyncBotClient"):
        client.stop("bot1")
    with client:
        pass
    with pytest.raises(RuntimeError, match="with SyncBotClient"):
        client.stop("bot1")


def test_a_refused_login_ends_the_thread() -> None:
    """What entering raises leaves nothing running."""

    class Refused:
        connected, free = False, 0

        async def run(self, *_: object) -> None:
            raise LinkRefused("wrong password")

    threads = threading.active_count()
    with pytest.raises(LinkRefused, match="wrong password"), SyncBotClient(SETTINGS, connect=lambda _: Refused()):
        pass
    assert threading.active_count() == threads


def test_the_thread_ends_with_the_block(broker: FakeBroker) -> None:
    """Nothing runs on behind a program that has finished."""
    threads = threading.active_count()
    with SyncBotClient(SETTINGS, connect=broker.link):
        assert threading.active_count() == threads + 1
    assert threading.active_count() == threads


def test_work_for_a_loop_that_has_ended_is_refused() -> None:
    """No caller waits for ever."""
    thread = LoopThread()

    async def work() -> None:
        raise AssertionError

    with pytest.raises(RuntimeError, match="closed"):
        thread.do(work())
    thread.stop()


def test_work_that_is_begun_as_the_loop_ends_is_cancelled_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No caller waits for ever in a thread beside the one that closes the client."""
    thread, begun, ended = LoopThread(), threading.Event(), threading.Event()
    begin = asyncio.run_coroutine_threadsafe
    told: list[Exception] = []

    def slowly(work: Any, loop: Any) -> Any:
        if threading.current_thread() is beside:
            begun.set()
            ended.wait(0.2)
        return begin(work, loop)

    def call() -> None:
        try:
            thread.do(asyncio.sleep(60))
        except (CancelledError, RuntimeError) as error:
            told.append(error)

    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", slowly)
    beside = threading.Thread(target=call, daemon=True)
    thread.start()
    beside.start()
    begun.wait(5)
    thread.stop()
    ended.set()
    beside.join(5)

    assert not beside.is_alive()
    assert isinstance(told[0], CancelledError)
