"""The plugin in a real Hummingbot: one answer to each command, each thing told once, whatever the stock bridge does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot_plugin import MemoryInbox, PluginSettings, SignalListener
from tests.brokers import Mosquitto, Proxy
from tests.docs.markdown import ROOT
from tests.e2e.deployment import until
from tests.interop.hummingbot.conftest import BOT, MakeHome
from tests.interop.hummingbot.ear import connections
from tests.interop.hummingbot.levered import AUTO, TOPIC, Levered, settled

pytestmark = pytest.mark.more

MakeBot = Callable[..., Levered]
LOGGERS = ("hummingbot.strategy.mine", "hummingbot.connector.mine", "scripts.mine", "bot_plugin.mine")


@pytest.fixture
def make_bot(make_home: MakeHome, broker: Mosquitto, tmp_path: Path) -> Iterator[MakeBot]:
    """Make a bot with levers, and start it."""
    made: list[Levered] = []

    def make(*, plugin: str, bridge: bool = True, **settings: bool) -> Levered:
        home = make_home(tmp_path / "home")
        home.configure(BOT, broker.port, mqtt_bridge={"mqtt_autostart": bridge, **settings})
        made.append(Levered(home, broker, plugin=plugin))
        made[-1].start()
        return made[-1]

    yield make
    for bot in made:
        bot.close()


def replies(bot: Levered) -> list[object]:
    """Every reply that was sent to our client."""
    return bot.ear.below(f"signals/v1/reply/{BOT}/desk/")


def call_all(bot: Levered) -> int:
    """Give one of each command that changes nothing much; how many."""
    client = bot.client
    calls = [client.status(BOT), client.history(BOT), client.config(BOT), client.balance(BOT)]
    calls += [client.balance_limit(BOT, "local_exchange", "BTC", "0.5"), client.balance_paper(BOT, "BTC", 10)]
    calls += [client.import_strategy(BOT, "none_of_this_name"), client.start(BOT)]
    assert [call.ok for call in calls] == [True] * 6 + [False] * 2, calls
    return len(calls)


def test_each_command_gets_one_answer_from_the_first_bridge_and_from_the_next(
    make_bot: MakeBot, broker: Mosquitto
) -> None:
    """The stock handlers are taken over, those of a bridge that comes later too; external events are still its."""
    bot = make_bot(plugin="attach")
    settled()  # what was asked until it answered is heard on another connection, a little later
    before = len(replies(bot))
    given = call_all(bot)
    bot.pull("bridge", "restart")
    until(lambda: bot.logged("MQTT Bridge connected with success.") == 2)
    given += call_all(bot)
    settled()

    assert len(replies(bot)) - before == given
    assert bot.pull("stock_commands") == []
    bot.pull("listen")
    bot.ear.publish(f"{TOPIC}/external/event/a/b", {"timestamp": 1, "data": {"x": 1}})
    until(lambda: bot.pull("heard") == [["a.b", {"x": 1}]])


def test_the_bridge_and_the_plugin_are_connected_side_by_side(make_bot: MakeBot, broker: Mosquitto) -> None:
    """No client id of ours is the bridge's: nobody is put out."""
    since = len(connections(broker))
    make_bot(plugin="attach")
    settled()

    lines = connections(broker)[since:]
    ids = (f"hbot.{BOT}", f"signals.{BOT}.sig", f"signals.{BOT}.cmd")
    assert all(sum(f" as {id_} " in line for line in lines if "New client" in line) == 1 for id_ in ids), lines
    assert not [line for line in lines if "New client" not in line and any(id_ in line for id_ in ids)]


def say_everything(bot: Levered, mark: str) -> str:
    """One line on each logger, a notification and an order; the order's id."""
    for logger in LOGGERS:
        bot.pull("log", logger, f"{logger} {mark}")
    bot.pull("notify", f"notice {mark}")
    return bot.pull("order", "buy", "0.1")


def assert_told_once(bot: Levered, mark: str, order: str) -> None:
    """Everything of that, no more and no less."""
    until(lambda: "BuyOrderCompleted" in {event["type"] for event in bot.events(order)}, within=20)
    until(lambda: bot.notified(f"notice {mark}"))
    until(lambda: all(bot.logged(f"{logger} {mark}") for logger in LOGGERS), within=20)
    settled()
    assert [bot.logged(f"{logger} {mark}") for logger in LOGGERS] == [1] * len(LOGGERS), mark
    assert bot.notified(f"notice {mark}") == 1
    types = [event["type"] for event in bot.events(order)]
    assert sorted(types) == ["BuyOrderCompleted", "BuyOrderCreated", "OrderFilled"], mark


def test_everything_is_told_once_with_the_bridge_without_it_and_with_the_next(make_bot: MakeBot) -> None:
    """Logs, notifications and the events of orders, also as the stock bridge hears the connectors itself."""
    bot = make_bot(plugin="attach")
    assert_told_once(bot, "with it", say_everything(bot, "with it"))
    bot.pull("stock_events")
    assert_told_once(bot, "and it hears", say_everything(bot, "and it hears"))
    bot.pull("bridge", "stop")
    assert_told_once(bot, "without it", say_everything(bot, "without it"))
    bot.pull("bridge", "start")
    assert_told_once(bot, "with the next", say_everything(bot, "with the next"))


def test_everything_is_told_once_where_there_never_was_a_bridge(make_bot: MakeBot) -> None:
    """With mqtt_autostart off, our launcher keeps Hummingbot alive, and the plugin tells all of it."""
    bot = make_bot(plugin="launcher", bridge=False)
    assert_told_once(bot, "alone", say_everything(bot, "alone"))


def test_the_plugin_tells_events_as_the_bridge_does(make_bot: MakeBot) -> None:
    """The same order told by either differs in nothing but what is that order's own."""
    bot = make_bot(plugin="attach")
    own = {"order_id", "creation_timestamp", "exchange_order_id", "exchange_trade_id"}
    told = []
    for bridged in (False, True):
        if bridged:
            bot.pull("stock_events")
        order = bot.pull("order", "buy", "0.1", "100.2")
        until(lambda: len(bot.events(order)) == 3)  # noqa: B023  # called at once
        shapes = [event | {"timestamp": type(event["timestamp"])} for event in bot.events(order)]
        for shape in shapes:
            shape["data"] = {name: type(value) if name in own else value for name, value in shape["data"].items()}
        told.append(sorted(shapes, key=lambda shape: shape["type"]))

    assert told[0] == told[1]
    assert told[0][-1]["data"]["trade_fee"] == {
        "fee_type": "AddedToCost",
        "percent": "0",
        "percent_token": None,
        "flat_fees": [{"token": "USDT", "amount": "0.01001000"}],
    }


def test_one_of_both_beats(make_bot: MakeBot) -> None:
    """Heartbeats come every ten seconds, from the bridge while it is there and from the plugin while it is not."""
    bot = make_bot(plugin="attach")

    def beats(since: float) -> list[float]:
        return [at for at in bot.ear.times(f"{TOPIC}/hb") if at > since]

    for phase in ("with it", "stop"):
        if phase == "stop":
            bot.pull("bridge", "stop")
        since = time.monotonic()
        until(lambda: len(beats(since)) == 2, within=25)  # noqa: B023  # called at once
        first, second = beats(since)
        assert second - first > 8, phase
        assert second - since < 21, phase


def test_figures_of_a_script_are_told_as_they_change_and_end_with_it(make_bot: MakeBot) -> None:
    """Bought 1 at 100.1 and sold half of it at 109, for 0.1 % each; the other half is worth 110 each."""
    bot = make_bot(plugin="attach")
    bot.pull("order", "buy", "1")
    until(lambda: bot.figures().get("performance", {}).get("trades") == 1)
    bot.home.exchange.price("BTC-USDT", bid="109", ask="111")
    bot.pull("order", "sell", "0.5")
    until(lambda: bot.figures()["performance"].get("unrealized_pnl_quote") == pytest.approx(4.95), within=10)

    told = bot.figures()["performance"]
    assert told["realized_pnl_quote"] == pytest.approx(4.45 - 0.1546)
    assert told["global_pnl_quote"] == pytest.approx(4.45 - 0.1546 + 4.95)
    assert (told["fees_quote"], told["volume_traded"]) == (pytest.approx(0.1546), pytest.approx(154.6))
    (pair,) = told["pairs"]
    assert (pair["market"], pair["trading_pair"], pair["amount"]) == ("local_exchange", "BTC-USDT", 0.5)
    assert pair["breakeven_price"] == pytest.approx(100.1)

    count = len(bot.ear.on(f"{TOPIC}/performance"))
    until(lambda: len(bot.ear.on(f"{TOPIC}/performance")) > count, within=12)  # unchanged, and told again in 10 s
    assert bot.client.stop(BOT).ok
    until(lambda: bot.figures() == {})


def test_one_line_in_a_script_attaches_for_good(make_bot: MakeBot) -> None:
    """The plugin outlives the script, answers while none runs, and is the same when the script is started again."""
    bot = make_bot(plugin="auto")
    first = bot.pull("attached")
    assert first is not None
    assert bot.client.stop(BOT).ok
    assert "no strategy" in bot.client.status(BOT).msg.lower()
    assert bot.client.start(BOT, conf=bot.conf).ok
    bot.until_ready()

    assert bot.pull("attached") == first
    assert bot.client.status(BOT).ok


@pytest.mark.parametrize(("ours", "answered"), [("", False), ("mqtt_commands: true", True)])
def test_commands_that_are_switched_off_are_answered_by_nobody_unless_ours_are_on_again(
    make_home: MakeHome, broker: Mosquitto, tmp_path: Path, ours: str, answered: object
) -> None:
    """mqtt_commands in conf_client.yml is for both sides, in conf_signal_gateway.yml for ours."""
    home = make_home(tmp_path / "home")
    home.configure(BOT, broker.port, mqtt_bridge={"mqtt_commands": False})
    (home.folder / "conf" / "conf_signal_gateway.yml").write_text(ours)
    bot = Levered(home, broker, plugin="attach")
    try:
        bot.bot.start()
        bot.until_ready()
        assert bot.client.status(BOT, within=5).ok is answered
    finally:
        bot.close()


def test_a_plugin_that_ends_says_so_and_leaves_hummingbot_as_it_was(
    make_home: MakeHome, broker: Mosquitto, tmp_path: Path
) -> None:
    """Where another process has its name: its user is told, the strategy runs, and the bridge answers again."""
    home = make_home(tmp_path / "home")
    home.configure(BOT, broker.port)
    bot = Levered(home, broker, plugin="auto")
    other = SignalListener(PluginSettings(bot=BOT, host=broker.host, port=broker.port, commands=False))
    other.inbox = MemoryInbox()
    try:
        with other.in_thread():
            bot.bot.start()
            bot.until_ready()
            until(lambda: "signal-gateway has ended" in bot.bot.log.read_text(), within=20)
            until(lambda: len(bot.pull("stock_commands")) == 8)
        said = bot.bot.log.read_text()
        assert f"signals, remote commands and telemetry: bot name '{BOT}' is in use by another process" in said
        assert "Traceback" not in said
        assert bot.client.history(BOT, within=10).ok
        assert "has no attribute 'strategy'" in bot.client.status(BOT, within=10).msg
        assert bot.pull("attached") is None
    finally:
        bot.close()


def test_a_plugin_that_is_stopped_says_goodbye_and_comes_again_with_the_next_script(make_bot: MakeBot) -> None:
    """Stopped, it tells no error; the line in a script that is loaded then attaches anew."""
    bot = make_bot(plugin="auto")
    bot.pull("detach")
    until(lambda: bot.ear.on(f"signals/v1/bot/{BOT}")[-1]["data"]["presence"] == "offline")
    assert len(bot.pull("stock_commands")) == 8
    assert bot.pull("attached") is None
    assert bot.pull("again", bot.conf) is True

    bot.until_ready()
    until(lambda: bot.client.status(BOT, within=2).ok)
    assert bot.pull("stock_commands") == []
    assert "signal-gateway has ended" not in bot.bot.log.read_text()


def test_a_tool_that_imports_a_script_starts_nothing(make_home: MakeHome, tmp_path: Path) -> None:
    """Without a running Hummingbot the line does nothing; it makes none."""
    home = make_home(tmp_path / "home")
    code = f"{AUTO.strip()}; from hummingbot.client.hummingbot_application import HummingbotApplication as found\n"
    code += "print(found._main_app)"
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(home.folder), str(ROOT)])}
    command = [str(home.python), "-c", code.replace("  # noqa: F401", "")]
    ran = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout.strip()) == (0, "None"), ran.stderr


def test_an_outage_of_the_broker_loses_and_doubles_nothing(
    make_home: MakeHome, broker: Mosquitto, tmp_path: Path
) -> None:
    """What is said while it is away is told when it is back, by one of both: the bridge keeps what it has too."""
    home = make_home(tmp_path / "home")
    with between(broker) as proxy:
        home.configure(BOT, proxy.port)
        bot = Levered(home, broker, plugin="attach")
        try:
            bot.start()
            proxy.cut()
            until(lambda: "MQTT bridge disconnected" in bot.bot.log.read_text())
            order = say_everything(bot, "in the dark")
            until(home.exchange.trades)
            proxy.restore()
            assert_told_once(bot, "in the dark", order)
        finally:
            bot.close()


@contextmanager
def between(broker: Mosquitto) -> Iterator[Proxy]:
    """A proxy before a broker, with a loop of its own."""
    loop, proxy = asyncio.new_event_loop(), Proxy(broker.port)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(10)
    cut, restore = proxy.cut, proxy.restore
    proxy.cut = lambda: loop.call_soon_threadsafe(cut)
    proxy.restore = lambda: loop.call_soon_threadsafe(restore)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
