"""A stock bot gets its signals, each once, while its heartbeats say that it is there; they wait for it until then."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from tests.e2e.deployment import until
from tests.e2e.stock_listener import StockListener
from tests.e2e.test_alert_to_callback import alert

SOURCE = {"hummingbot": {"bots": ["stock1"], "event": "order.market"}}
CLOSE = {"action": "sell", "market_position": "flat", "prev_market_position": "long"}
ABSENT = "bot stock1 is absent: it has sent no heartbeat lately"


@contextmanager
def stock_bot(deployment):
    bot = StockListener(deployment, "stock1")
    bot.start()
    try:
        yield bot
    finally:
        bot.stop()


def post(deployment, base="BTC", *, source="hb", **more):
    status, answer = deployment.post(source, alert(base, **more))
    assert status == 202
    return answer["id"]


def event(deployment, id_):
    """Where a signal is on its way to the bot, and why, as the command line tells it."""
    life = deployment.cli("signals", id_, "--json")
    (found,) = [one for one in life["deliveries"] if one["destination"] == "hummingbot:stock1"]
    return found["station"], found["reason"]


def shown(deployment):
    (bot,) = [bot for bot in deployment.cli("bots", "list", "--json")["bots"] if bot["name"] == "stock1"]
    return bot


def test_signals_for_an_absent_bot_are_held_and_go_once_and_exits_first_when_its_heartbeat_comes(deploy, external):
    deployment = deploy(sources={"hb": SOURCE}, external=external)
    with stock_bot(deployment) as bot:
        entry, exit_, other = post(deployment, "BTC"), post(deployment, "ETH", **CLOSE), post(deployment, "SOL")
        until(lambda: all(event(deployment, id_) == ("held", ABSENT) for id_ in (entry, exit_, other)))
        assert bot.events() == []
        assert (shown(deployment)["profile"], shown(deployment)["alive"]) == ("hummingbot", False)

        bot.beat()

        until(lambda: len(bot.events()) == 3)
        assert bot.events()[0] == exit_
        assert set(bot.events()) == {entry, exit_, other}
        published = ("published", "no receipt is possible: a stock bot sends none")
        until(lambda: all(event(deployment, id_) == published for id_ in (entry, exit_, other)))
        assert (shown(deployment)["state"], shown(deployment)["last_seen_by"]) == ("alive", "heartbeat")

        bot.tell("status_updates", {"timestamp": 1, "type": "availability", "msg": "offline"})
        until(lambda: shown(deployment)["state"] == "left")
        later = post(deployment)
        until(lambda: event(deployment, later) == ("held", ABSENT))
        bot.beat()
        until(lambda: event(deployment, later) == published)
        until(lambda: bot.events()[3:] == [later])


def test_after_a_kill_nobody_is_there_until_heard_and_what_was_held_goes_once(deploy, external):
    deployment = deploy(sources={"hb": SOURCE}, external=external)
    with stock_bot(deployment) as bot:
        bot.beat()
        first = post(deployment)
        until(lambda: bot.events() == [first])
        bot.tell("status_updates", {"msg": "offline"})
        until(lambda: shown(deployment)["state"] == "left")
        held = post(deployment)
        until(lambda: event(deployment, held) == ("held", ABSENT))

        deployment.stop_gateway(9)
        deployment.start_gateway()
        if not external:
            bot.stop()
            bot.start()

        second = post(deployment)
        until(lambda: shown(deployment)["state"] == "unknown")
        until(lambda: event(deployment, held) == ("held", ABSENT))
        assert bot.events() == [first]
        bot.beat()
        until(lambda: bot.events() == [first, held, second])


def test_a_signal_that_expires_while_its_bot_is_absent_says_so_and_is_never_published(deploy, external):
    deployment = deploy(sources={"hb": SOURCE | {"ttl": {"open": "3s"}}}, external=external)
    with stock_bot(deployment) as bot:
        entry, exit_ = post(deployment), post(deployment, "ETH", **CLOSE)
        until(lambda: event(deployment, entry)[0] == "expired")
        assert event(deployment, entry)[1] == "bot stock1 was absent, as it sent no heartbeat, until the signal expired"
        bot.beat()
        until(lambda: event(deployment, exit_)[0] == "published")
        until(lambda: bot.events() == [exit_])


def test_what_a_bot_tells_is_shown(deploy, external):
    deployment = deploy(sources={"hb": SOURCE}, external=external)
    with stock_bot(deployment) as bot:
        bot.beat()
        bot.tell("log", {"timestamp": 1786000000.123, "msg": "a line", "level_no": 20, "level_name": "INFO"})
        bot.tell("notify", {"seq": 0, "timestamp": "-1", "msg": "\nWinding down..."})
        bot.tell("events", {"timestamp": 1786000000, "type": "OrderFilled", "data": {"amount": 0.5}})
        until(lambda: deployment.api("bots/stock1")["events"])
        one = deployment.cli("bots", "show", "stock1", "--json")
        assert (one["events"][0]["type"], one["notifications"][0]["text"]) == ("OrderFilled", "\nWinding down...")
        assert "a line" in [line["text"] for line in deployment.cli("bots", "logs", "stock1", "--json")["logs"]]
        assert deployment.metric("signal_gateway_bot_alive", bot="stock1") == 1


@pytest.mark.more
def test_a_bot_that_dies_without_a_word_is_told_within_35_s(deploy, external):
    deployment = deploy(sources={"hb": SOURCE}, external=external)
    StockListener(deployment, "stock1").beat()
    until(lambda: shown(deployment)["alive"])
    until(lambda: shown(deployment)["state"] == "dead", within=35)
    assert deployment.metric("signal_gateway_bot_alive", bot="stock1") == 0
    assert '"bot_dead"' in (deployment.folder / "gateway.log").read_text()
