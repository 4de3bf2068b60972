"""From a TradingView alert over HTTP to a Python callback in another process."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter, defaultdict

import aiohttp
import pytest

from tests.e2e.deployment import until
from tests.e2e.stock_listener import StockListener

SOURCES = [f"source-{number}" for number in range(5)]
BASES = ["BTC", "ETH", "SOL", "XRP", "ADA", "DOGE", "LTC", "LINK", "AVAX", "DOT"]
_order = itertools.count(1)


def alert(base: str = "BTC", **more: object) -> bytes:
    """An alert of a TradingView strategy; no two are equal."""
    number = next(_order)
    body = {
        "ticker": f"{base}USDT",
        "exchange": "BINANCE",
        "action": "buy",
        "contracts": "0.5",
        "price": 27123.45,
        "market_position": "long",
        "prev_market_position": "flat",
        "order_id": f"entry {number}",
        "timenow": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    return json.dumps(body | more).encode()


async def burst(deployment, bodies: list[tuple[str, bytes]], *, at_once: int = 50) -> list[str]:
    """Post bodies, many at once; the ids that were answered."""
    gate = asyncio.Semaphore(at_once)

    async def post(session: aiohttp.ClientSession, source: str, body: bytes) -> str:
        async with gate, session.post(deployment.webhooks[source], data=body) as response:
            assert response.status == 202, await response.text()
            return (await response.json())["id"]

    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(connector=connector) as session:
        return list(await asyncio.gather(*(post(session, source, body) for source, body in bodies)))


def test_5000_alerts_in_bursts_are_each_handled_exactly_once_and_in_order(deploy, external):
    deployment = deploy(sources={source: {} for source in SOURCES}, external=external)
    bot = deployment.start_bot("bot-a")
    bodies = [(SOURCES[n % 5], alert(BASES[n // 5 % 10])) for n in range(5000)]
    answered: list[str] = []
    for start in range(0, 5000, 1000):
        answered += asyncio.run(burst(deployment, bodies[start : start + 1000]))

    until(lambda: len(bot.handled()) >= 5000, within=60)
    handled = bot.handled()
    assert Counter(entry["id"] for entry in handled) == Counter(answered)
    by_key = defaultdict(list)
    for entry in handled:
        by_key[entry["key"]].append(entry["sequence"])
    assert len(by_key) == 50
    assert all(sequences == sorted(set(sequences)) for sequences in by_key.values())
    until(lambda: deployment.metric("signal_gateway_receipts_total", stage="handled") >= 5000, within=10)
    life = deployment.api(f"signals/{answered[0]}")
    assert [delivery["station"] for delivery in life["deliveries"]] == ["receipted"]
    assert [receipt["stage"] for receipt in life["receipts"]][-1] == "handled"


@pytest.mark.parametrize("threaded", ["0", "1"])
def test_a_slow_callback_on_one_key_does_not_slow_fifty_others(deploy, threaded):
    deployment = deploy(sources={source: {} for source in SOURCES}, external=True)
    bot = deployment.start_bot("bot-a", SLOW_KEY="source-0/SLOW-USDT", THREADED=threaded)

    def p99() -> float:
        before, posted = len(bot.handled()), {}
        for number in range(300):
            source = SOURCES[number % 5]
            began = time.time_ns()
            status, answer = deployment.post(source, alert(BASES[number // 5 % 10]))
            assert status == 202
            posted[answer["id"]] = began
        until(lambda: len(bot.handled()) >= before + 300)
        seen = {entry["id"]: entry["at"] for entry in bot.handled()}
        latencies = sorted(seen[id_] - began for id_, began in posted.items())
        return latencies[int(len(latencies) * 0.99)] / 1e6

    p99()  # warm
    usual = min(p99(), p99())
    status, _ = deployment.post("source-0", alert("SLOW"))
    assert status == 202
    until(lambda: any(entry["key"] == "source-0/SLOW-USDT" for entry in bot.handled()))
    disturbed = min(p99(), p99())

    assert disturbed <= 2 * usual, f"p99 was {usual:.1f} ms, and {disturbed:.1f} ms beside a callback that takes 60 s"


def test_a_signal_that_nobody_listens_to_ends_as_unheard(deploy, external):
    deployment = deploy(sources={"quiet": {"ttl": {"open": "2s"}}}, external=external)
    _, answer = deployment.post("quiet", alert())

    delivery = until(lambda: ended(deployment, answer["id"]))

    assert delivery["station"] == "unheard"
    assert "nobody listened" in delivery["reason"]


def ended(deployment, id_: str):
    """The delivery to the versioned topic, once it ended."""
    (delivery,) = deployment.api(f"signals/{id_}")["deliveries"]
    return None if delivery["station"] in {"waiting", "held", "publishing"} else delivery


def stations(deployment, id_: str) -> dict[str, str]:
    """By destination, where a signal is."""
    return {d["destination"]: d["station"] for d in deployment.api(f"signals/{id_}")["deliveries"]}


def test_a_publish_that_the_acl_denies_ends_as_denied_with_the_brokers_reason(deploy):
    deployment = deploy(sources={"barred": {}}, external=True)
    acl = deployment.folder / "mosquitto" / "acl"
    acl.write_text(acl.read_text().replace("topic write signals/v1/#", "topic write signals/v1/nothing"))
    deployment.mosquitto.reload()
    _, answer = deployment.post("barred", alert())

    delivery = until(lambda: ended(deployment, answer["id"]))

    assert delivery["station"] == "denied"
    assert "not authorised (0x87)" in delivery["reason"]


def test_a_signal_past_its_expiry_is_never_handled(deploy, external):
    deployment = deploy(sources={"late": {"ttl": {"open": "1s"}}, "fresh": {}}, external=external)
    _, late = deployment.post("late", alert())
    until(lambda: ended(deployment, late["id"]))
    bot = deployment.start_bot("bot-a")
    _, fresh = deployment.post("fresh", alert())

    until(bot.handled)

    assert [entry["id"] for entry in bot.handled()] == [fresh["id"]]


def test_what_is_accepted_while_the_broker_is_away_arrives_when_it_is_back(deploy):
    deployment = deploy(sources={"patient": {}}, external=True)
    bot = deployment.start_bot("bot-a")
    deployment.mosquitto.kill()
    until(lambda: not deployment.api("status")["broker"]["connected"])
    answers = [deployment.post("patient", alert())[1]["id"] for _ in range(50)]
    assert bot.handled() == []

    deployment.mosquitto.start()

    until(lambda: len(bot.handled()) == 50, within=40)
    assert [entry["id"] for entry in bot.handled()] == answers


def test_what_was_answered_before_a_kill_is_handled_after_the_restart(deploy, external):
    deployment = deploy(sources={"patient": {}}, external=external)
    answers = [deployment.post("patient", alert())[1]["id"] for _ in range(20)]
    deployment.stop_gateway(9)
    deployment.start_gateway()

    bot = deployment.start_bot("bot-a")

    until(lambda: len(bot.handled()) == 20, within=40)
    assert [entry["id"] for entry in bot.handled()] == answers


def test_a_stock_hummingbot_topic_receives_its_one_message(deploy, external):
    stock = {"hummingbot": {"bots": ["stock1"], "event": "order.market"}}
    deployment = deploy(sources={"hb": stock}, external=external)
    watcher = deployment.start_bot("stock1", WATCH="hbot/stock1/external/event/#")
    StockListener(deployment, "stock1").beat()
    _, answer = deployment.post("hb", alert())

    until(lambda: any("topic" in entry for entry in watcher.entries()))
    settled = {"hummingbot:stock1": "published", "signals": "receipted"}
    until(lambda: stations(deployment, answer["id"]) == settled)

    (event,) = [entry for entry in watcher.entries() if "topic" in entry]
    payload = json.loads(event["payload"])
    assert event["topic"] == "hbot/stock1/external/event/order/market"
    assert isinstance(payload["timestamp"], int)
    assert payload["type"] == "eevent"
    assert {name: payload["data"][name] for name in ("type", "amount", "id")} == {
        "type": "buy",
        "amount": "0.5",
        "id": answer["id"],
    }


def test_a_second_process_with_the_same_bot_name_says_so_and_stops(deploy, external):
    deployment = deploy(sources={"one": {}}, external=external)
    first = deployment.start_bot("bot-a")

    with pytest.raises(AssertionError, match="in use by another process"):
        deployment.start_bot("bot-a")

    _, answer = deployment.post("one", alert())
    until(first.handled)
    assert [entry["id"] for entry in first.handled()] == [answer["id"]]


def test_sigterm_ends_the_gateway_cleanly_and_the_same_webhook_works_after_a_restart(deploy, external):
    deployment = deploy(sources={"one": {}}, external=external)
    assert deployment.post("one", alert())[0] == 202

    assert deployment.stop_gateway() == 0
    *_, last = (deployment.folder / "gateway.log").read_text().splitlines()
    assert last.startswith("stopped: 1 signal waits to be published")

    deployment.start_gateway()
    assert deployment.post("one", alert())[0] == 202
