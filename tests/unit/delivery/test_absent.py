"""What is for a stock bot waits until the bot is there, goes to it once, and what reduces positions goes first."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.delivery.lane import Place
from gateway.journal import Lane, Station
from gateway.telemetry import NullTelemetry


@pytest.fixture
async def stock(bench):
    made = Stock(bench)
    await bench.start()
    bench.run()
    return made


class Stock:
    """Stock bots, and the events that they got."""

    def __init__(self, bench):
        self.bench = bench
        self.names = {}

    async def accept(self, name, key="src/BTC-USDT", *, bot="b1", **more):
        """Commit a signal for a bot that is known by a name of the test's."""
        topic = f"hbot/{bot}/external/event/{name}"
        accepted = await self.bench.accept(
            key, name=f"hummingbot:{bot}", topic=topic, payload=json.dumps(name).encode(), once=True, **more
        )
        self.names[name] = accepted.draft.id
        return accepted

    def come(self, *bots):
        for bot in bots or ("b1",):
            self.bench.present.add(bot)
            self.bench.delivery.came(bot)

    def leave(self, bot="b1"):
        self.bench.present.discard(bot)

    @property
    def events(self):
        """What was published, by the test's names, in order."""
        return [json.loads(message.payload) for message in self.bench.published]

    async def held(self, *names):
        """Wait until the lives of these say that they are held."""
        queues = self.bench.delivery._queues
        await self.bench.until(lambda: all(queue.place in {Place.AWAY, Place.IDLE} for queue in queues.values()))
        self.bench.clock.pass_(seconds=1)
        await self.stand(Station.HELD, *names)

    async def stand(self, station, *names):
        async with asyncio.timeout(5):
            for name in names:
                await self.bench.until_station(self.names[name], station)

    async def life(self, name):
        (delivery,) = (await self.bench.journal.life(self.names[name])).deliveries
        return delivery


async def test_an_event_waits_for_its_bot_says_so_and_goes_to_it_once(stock):
    await stock.accept("one")
    await stock.held("one")
    assert (await stock.life("one")).reason == "bot b1 is absent: it has sent no heartbeat lately"
    assert stock.events == []

    stock.come()
    await stock.stand(Station.PUBLISHED, "one")
    stock.come()
    await stock.accept("two")
    await stock.stand(Station.PUBLISHED, "two")

    assert stock.events == ["one", "two"]
    assert (await stock.life("one")).reason == "no receipt is possible: a stock bot sends none"


async def test_a_bot_that_left_is_waited_for_again(stock):
    stock.come()
    await stock.accept("one")
    await stock.stand(Station.PUBLISHED, "one")
    stock.leave()
    await stock.accept("two")
    await stock.held("two")
    assert stock.events == ["one"]
    stock.come()
    await stock.stand(Station.PUBLISHED, "two")


async def test_when_a_bot_comes_all_that_reduces_goes_before_what_opens_and_each_key_keeps_its_order(stock):
    await stock.accept("opens A", "src/A")
    await stock.accept("opens B, in vain", "src/B", ttl=600)
    await stock.accept("says nothing of C", "src/C", effect="unknown")
    await stock.accept("reduces B", "src/B", effect="reduce")
    await stock.accept("reduces C", "src/C", effect="reduce")
    await stock.accept("opens B again", "src/B")
    await stock.accept("opens D", "src/D")
    await stock.accept("reduces E", "src/E", effect="reduce")
    await stock.accept("opens E", "src/E")
    await stock.held("opens A", "says nothing of C", "opens D", "reduces E")

    stock.come()
    await stock.stand(Station.PUBLISHED, "opens A", "opens B again", "opens D", "opens E", "reduces C")

    events = stock.events
    assert sorted(events) == sorted(set(stock.names) - {"opens B, in vain"})
    last = max(events.index(f"reduces {key}") for key in "BCE")
    assert all(events.index(opens) > last for opens in ("opens A", "opens D", "opens E", "opens B again"))
    assert events.index("says nothing of C") < events.index("reduces C")
    assert (await stock.life("opens B, in vain")).station is Station.SUPERSEDED


async def test_what_reduces_goes_first_too_where_lanes_are_to_be_read_again_when_the_bot_comes(stock):
    await stock.accept("reduces A", "src/A", effect="reduce")
    await stock.held("reduces A")
    stock.bench.bots(plugin="signals/v1/trade/+/+")
    await stock.bench.until(lambda: all(queue.rewind for queue in stock.bench.delivery._queues.values()))
    await stock.accept("opens B", "src/B")
    await stock.held("opens B")

    stock.come()
    await stock.stand(Station.PUBLISHED, "reduces A", "opens B")
    assert stock.events == ["reduces A", "opens B"]


async def test_an_entry_that_an_exit_supersedes_ends_at_once_though_the_bot_is_away(stock):
    await stock.accept("opens")
    await stock.held("opens")
    await stock.accept("reduces", effect="reduce")
    await stock.stand(Station.SUPERSEDED, "opens")
    stock.come()
    await stock.stand(Station.PUBLISHED, "reduces")
    assert stock.events == ["reduces"]


async def test_what_expires_while_its_bot_is_away_ends_as_expired_and_says_that(stock):
    await stock.accept("short", ttl=10)
    await stock.accept("also short", ttl=10)
    await stock.accept("long", ttl=60)
    await stock.accept("of another key", "src/ETH-USDT", ttl=10)
    await stock.held("short", "of another key")
    stock.bench.clock.pass_(seconds=10)
    for name in ("short", "also short", "of another key"):
        ended = await stock.bench.ended(stock.names[name])
        assert ended.station is Station.EXPIRED
        assert ended.reason == "bot b1 was absent, as it sent no heartbeat, until the signal expired"
    stock.come()
    await stock.stand(Station.PUBLISHED, "long")
    assert stock.events == ["long"]


async def test_a_clock_that_is_set_back_does_not_let_a_bot_get_what_is_old(stock):
    await stock.accept("old", ttl=10)
    await stock.held("old")
    stock.bench.clock.elapsed += 10
    stock.bench.clock.set_back(seconds=3600)
    ended = await stock.bench.ended(stock.names["old"])
    stock.come()
    assert (ended.station, stock.events) == (Station.EXPIRED, [])


async def test_a_bot_that_is_away_holds_up_nobody_else(stock):
    stock.come("there")
    for number in range(50):
        await stock.accept(f"away {number}", f"src/{number}", bot="away")
        await stock.accept(f"there {number}", f"src/{number}", bot="there")
    own = await stock.bench.accept("src/0")
    await stock.stand(Station.PUBLISHED, *(f"there {number}" for number in range(50)))
    assert (await stock.bench.ended(own.draft.id)).station is Station.PUBLISHED
    await stock.held(*(f"away {number}" for number in range(50)))


async def test_nothing_is_asked_and_little_is_kept_in_memory_while_a_bot_is_away(stock):
    for number in range(300):
        await stock.accept(f"{number}", f"src/{number % 3}")
    await stock.held("0", "1", "2")
    asked = []
    stock.bench.present = Watched(asked)

    await asyncio.sleep(10 * stock.bench.settings.sweep)
    assert (asked, stock.bench.delivery._pump.loaded) == ([], 3)

    stock.bench.present = {"b1"}
    stock.come()
    await stock.stand(Station.PUBLISHED, *map(str, range(300)))
    for key in range(3):
        assert [event for event in map(int, stock.events) if event % 3 == key] == list(range(key, 300, 3))


class Watched(set):
    """Remembers who was asked for."""

    def __init__(self, asked):
        super().__init__()
        self._asked = asked

    def __contains__(self, bot):
        self._asked.append(bot)
        return super().__contains__(bot)


async def test_after_a_restart_of_the_gateway_what_waited_goes_once_when_the_bot_is_heard(stock):
    await stock.accept("one", effect="open")
    await stock.accept("two", "src/ETH-USDT", effect="reduce")
    await stock.held("one", "two")
    await stock.bench.crash()
    stock.bench.run()
    await asyncio.sleep(5 * stock.bench.settings.audit)
    assert stock.events == []
    stock.come()
    await stock.stand(Station.PUBLISHED, "one", "two")
    assert stock.events == ["two", "one"]


async def test_a_bot_that_leaves_between_the_mark_on_disk_and_the_publish_gets_it_when_it_comes_back(stock):
    record, marked = stock.bench.journal.record, asyncio.Event()

    async def slow(outcomes):
        receipted = await record(outcomes)
        if any(one.station is Station.PUBLISHING for one in outcomes):
            marked.set()
            stock.leave()
        return receipted

    stock.bench.journal.record = slow
    stock.come()
    await stock.accept("one")
    await asyncio.wait_for(marked.wait(), 5)
    stock.bench.journal.record = record
    await stock.held("one")
    assert stock.events == []
    stock.come()
    await stock.stand(Station.PUBLISHED, "one")
    assert stock.events == ["one"]


async def test_what_waits_for_a_bot_can_be_withdrawn(stock):
    first = await stock.accept("first")
    await stock.accept("second")
    await stock.held("first")
    queue = next(iter(stock.bench.delivery._queues.values()))
    await stock.bench.delivery.withdraw(queue.lane, position=first.position, id_=first.draft.id, reason="a test")
    assert (await stock.life("first")).station is Station.WITHDRAWN
    stock.come()
    await stock.stand(Station.PUBLISHED, "second")
    assert stock.events == ["second"]


async def test_an_exit_that_nobody_hears_does_not_keep_the_entries_back(bench):
    await bench.start(tables=True)
    bench.broker.hears = lambda topic: not topic.endswith("/reduces")
    bench.run()
    stock = Stock(bench)
    await stock.accept("reduces", "src/A", effect="reduce")
    await stock.accept("opens", "src/B")
    await stock.held("reduces", "opens")
    stock.come()
    await stock.stand(Station.PUBLISHED, "opens")
    bench.clock.pass_(seconds=70)
    assert (await bench.ended(stock.names["reduces"])).station is Station.UNHEARD


class Undelivered(NullTelemetry):
    """Remembers what is told of signals that did not arrive."""

    def __init__(self):
        self.told = []

    def undelivered(self, signal, *, station, reason):
        self.told.append((signal.lane.destination, station, reason))


@pytest.mark.parametrize("plugin", [False, True])
async def test_that_no_plugin_hears_what_a_stock_bot_gets_is_told_only_where_one_should(bench, plugin):
    bench.stock, bench.telemetry = {"src"}, Undelivered()
    await bench.start(listener=False, tables=True)
    bench.broker.hears = lambda topic: topic.startswith("hbot/")
    bench.run()
    if plugin:
        bench.bots(absent=("p1",), p1="signals/v1/trade/+/+")
    own = await bench.accept(effect="reduce")
    await bench.until(lambda: bench.delivery._queues[Lane("signals", "src/BTC-USDT")].trial.unheard)
    bench.clock.pass_(seconds=61)

    assert (await bench.ended(own.draft.id)).station is Station.UNHEARD
    expected = ("signals", Station.UNHEARD, "nobody listened to signals/v1/trade/src/BTC-USDT until the signal expired")
    assert bench.telemetry.told == ([expected] if plugin else [])


async def test_the_gateway_ends_in_good_order_while_signals_wait_for_a_bot(stock):
    await stock.accept("one")
    await stock.held("one")
    await asyncio.wait_for(stock.bench.delivery.drained(), 5)


async def test_a_bot_that_leaves_while_its_exits_go_first_gets_the_rest_in_the_same_manner(stock):
    for key in "AB":
        await stock.accept(f"reduces {key}", f"src/{key}", effect="reduce")
        await stock.accept(f"opens {key}", f"src/{key}-2")
    await stock.held("reduces A", "reduces B", "opens A", "opens B")
    take = stock.bench.broker.take

    def leave_after_the_first(link, message, future):
        stock.leave()
        take(link, message, future)

    stock.bench.broker.take = leave_after_the_first
    stock.come()
    await stock.bench.until(lambda: stock.events)
    stock.bench.broker.take = take
    await stock.bench.until(lambda: stock.bench.delivery._pump._in_flight == 0)
    stock.come()
    await stock.stand(Station.PUBLISHED, *stock.names)
    assert sorted(stock.events[:2]) == ["reduces A", "reduces B"]
    assert len(stock.events) == 4
