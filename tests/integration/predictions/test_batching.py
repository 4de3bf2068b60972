"""Many predictions: in order, together in a request, from any thread, and never more than there is room for."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from bot_plugin.predictions import AsyncPredictionClient, Outcome, Prediction, PredictionClient, Result
from tests.integration.predictions.conftest import Settings
from tests.integration.predictions.stand_in import Answer, StandInGateway, answer, hangs, waits

LATER = datetime(2099, 1, 1, tzinfo=UTC)
LONG: Prediction = {"pair": "BTC-USDT", "probabilities": {"long": 1}, "horizon": "1h"}


def many(count: int) -> Iterator[Prediction]:
    for number in range(count):
        yield {**LONG, "idempotency_key": f"k{number}", "valid_until": LATER}


def test_what_waits_while_a_request_is_out_goes_together_in_the_next(
    gateway: StandInGateway, settings: Settings
) -> None:
    """In the order in which it was handed in."""
    gateway.script.append(waits)
    with PredictionClient(settings()) as client:
        pending = [client.submit(**LONG, idempotency_key=f"k{number}", valid_until=LATER) for number in range(500)]
        gateway.released.set()

        assert all(result.result(10).ok for result in pending)
    assert list(gateway.stored) == [f"k{number}" for number in range(500)]
    assert len(gateway.requests) == 2, [len(request.keys) for request in gateway.requests]


def test_a_request_has_no_more_than_its_share(gateway: StandInGateway, settings: Settings) -> None:
    """In predictions and in bytes: a gateway reads what is signed whole before it takes any of it."""
    large: Prediction = {**LONG, "features": {f"feature-{number}": number / 7 for number in range(200)}}
    gateway.script.append(waits)
    with PredictionClient(settings(batch=100)) as client:
        pending = [client.submit(**LONG) for _ in range(250)] + [client.submit(**large) for _ in range(100)]
        gateway.released.set()
        assert all(result.result(10).ok for result in pending)

    assert max(len(request.keys) for request in gateway.requests) == 100
    assert max(len(request.body) for request in gateway.requests) <= 250_000
    assert sum(len(request.keys) for request in gateway.requests) == 350


def test_ten_thousand_are_taken_as_there_is_room_and_answered_in_order(
    gateway: StandInGateway, settings: Settings
) -> None:
    """A generator is never read further ahead than the queue is long: memory stays as it is."""
    taken = 0

    def counted() -> Iterator[Prediction]:
        nonlocal taken
        for prediction in many(10_000):
            taken += 1
            yield prediction

    ahead, keys = 0, []
    with PredictionClient(settings(queue=1_000)) as client:
        for result in client.send_all(counted()):
            assert result.outcome is Outcome.ACCEPTED
            keys.append(result.idempotency_key)
            ahead = max(ahead, taken - len(keys))

    assert keys == list(gateway.stored) == [f"k{number}" for number in range(10_000)]
    assert ahead < 1_000
    assert len(gateway.requests) < 1_000


def test_one_that_cannot_be_sent_is_refused_in_its_place(gateway: StandInGateway, settings: Settings) -> None:
    """A model's NaN takes none of the others along."""
    nan: Prediction = {"pair": "BTC-USDT", "probabilities": {"long": float("nan")}, "idempotency_key": "n"}
    with PredictionClient(settings()) as client:
        first, second, third = client.send_all([LONG, nan, LONG])

    assert (first.outcome, second.outcome, third.outcome) == (Outcome.ACCEPTED, Outcome.REFUSED, Outcome.ACCEPTED)
    assert second.idempotency_key == "n"
    assert second.reason == "the prediction cannot be sent: probabilities [long] has nan, which is not a finite number"
    assert len(gateway.stored) == 2


def test_who_sends_more_than_there_is_room_for_waits_and_is_told(gateway: StandInGateway, settings: Settings) -> None:
    """The queue is bounded: a gateway that is away for long costs no memory."""
    gateway.script.append(hangs)
    with PredictionClient(settings(queue=2, close_within=0.1)) as client:
        first = client.submit(**LONG)
        while not gateway.requests:
            time.sleep(0.001)
        second = client.submit(**LONG)
        late = client.send(**LONG, within=0.1)

    assert late.outcome is Outcome.UNSENT
    assert late.reason.startswith("2 predictions wait already, for 0.1 s")
    assert (first.result(0).outcome, second.result(0).outcome) == (Outcome.UNKNOWN, Outcome.UNSENT)


def test_threads_may_send_at_once(gateway: StandInGateway, settings: Settings) -> None:
    """Each gets its own answer, and each thread's predictions stay in their order."""

    def work(thread: int) -> list[Result]:
        return [client.send(**LONG, idempotency_key=f"{thread}-{number}", valid_until=LATER) for number in range(50)]

    with PredictionClient(settings()) as client, ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))

    for thread, own in enumerate(results):
        keys = [f"{thread}-{number}" for number in range(50)]
        assert [result.idempotency_key for result in own] == keys
        assert [result.id for result in own] == [gateway.stored[key] for key in keys]
        assert [key for key in gateway.stored if key.startswith(f"{thread}-")] == keys


def test_closing_waits_for_what_is_under_way(gateway: StandInGateway, settings: Settings) -> None:
    """Whoever hands in and leaves the block loses nothing."""
    with PredictionClient(settings()) as client:
        pending = [client.submit(**LONG) for _ in range(20)]

    assert {result.result(0).outcome for result in pending} == {Outcome.ACCEPTED}
    assert len(gateway.stored) == 20


def test_a_client_that_is_not_open_says_so(settings: Settings) -> None:
    """Before, between and after."""
    client = PredictionClient(settings())
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"closed|not open"):
            client.send(**LONG)
        with client, pytest.raises(RuntimeError, match="open already"):
            client.open()
    client.close()


def test_a_callback_cannot_wait_in_the_clients_own_thread(settings: Settings) -> None:
    """It would wait for itself for ever."""
    told: Future[BaseException | None] = Future()

    def call(_: Future[Result]) -> None:
        try:
            client.send(**LONG)
        except RuntimeError as error:
            told.set_result(error)

    with PredictionClient(settings()) as client:
        client.submit(**LONG).add_done_callback(call)

        assert "the client's own thread" in str(told.result(5))


def _send_in_fork(client: PredictionClient, told: Any) -> None:
    try:
        client.send(**LONG)
    except RuntimeError as error:
        told.put(str(error))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_is_told_to_open_its_own(settings: Settings) -> None:
    """A fork takes no thread along: without this it would wait for ever."""
    fork = multiprocessing.get_context("fork")
    told = fork.SimpleQueue()
    with PredictionClient(settings()) as client:
        process = fork.Process(target=_send_in_fork, args=(client, told))
        process.start()
        process.join(20)

        assert process.exitcode == 0
        assert "a forked one opens its own" in told.get()
        assert client.send(**LONG).ok


async def test_the_async_client_does_the_same_in_the_callers_loop(gateway: StandInGateway, settings: Settings) -> None:
    """No thread, and nothing that blocks the loop."""
    threads = threading.active_count()
    async with AsyncPredictionClient(settings()) as client:
        results = await asyncio.gather(*(client.send(**LONG) for _ in range(100)))
        streamed = [result async for result in client.send_all(many(300))]
        assert await client.flush(within=1)

    assert {result.outcome for result in (*results, *streamed)} == {Outcome.ACCEPTED}
    assert list(gateway.stored)[100:] == [f"k{number}" for number in range(300)]
    assert threading.active_count() <= threads + 2  # the stand-in's own
    with pytest.raises(RuntimeError, match="closed"):
        await client.send(**LONG)


async def test_the_async_client_reads_no_further_ahead_than_its_queue_is_long(
    gateway: StandInGateway, settings: Settings
) -> None:
    """Not even where those behind the first are refused at once, and take no room."""
    taken = 0

    def counted() -> Iterator[Prediction]:
        nonlocal taken
        for prediction in (LONG, *[Prediction(horizon="soon")] * 2_000):
            taken += 1
            yield prediction

    def late(to: Answer) -> None:
        to.gateway.released.wait(0.3)
        answer(to)

    gateway.script.append(late)
    async with AsyncPredictionClient(settings(queue=50)) as client:
        results = client.send_all(counted())
        first = await anext(results)

        assert taken == 50
        assert first.ok
        assert {result.outcome async for result in results} == {Outcome.REFUSED}
    assert taken == 2_001


async def test_a_call_that_is_cancelled_gives_its_room_back(gateway: StandInGateway, settings: Settings) -> None:
    """A pipeline's own timeout leaves nothing behind."""
    gateway.script.append(waits)
    async with AsyncPredictionClient(settings(queue=1)) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.send(**LONG)
        second = asyncio.ensure_future(client.send(**LONG))
        await asyncio.sleep(0)
        gateway.released.set()

        assert (await second).ok


async def test_flushing_says_whether_all_is_done(gateway: StandInGateway, settings: Settings) -> None:
    """In the time that it was given."""
    gateway.script.append(waits)
    async with AsyncPredictionClient(settings()) as client:
        await client.submit(**LONG)
        assert not await client.flush(within=0.05)
        gateway.released.set()
        assert await client.flush(within=5)
