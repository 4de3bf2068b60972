"""Start, stop, status and history on a real Hummingbot, over MQTT, held against the application's own state.

The tests share the bot and run in their order; each leaves it stopped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from bot_plugin.client import Outcome, SyncBotClient
from tests.brokers import Mosquitto
from tests.e2e.deployment import until
from tests.interop.hummingbot.bot import Hummingbot
from tests.interop.hummingbot.commanded import (
    SCRIPT,
    commanded,
    commanding,
    conf,
    data_of,
    order,
    started,
)
from tests.interop.hummingbot.conftest import BOT, MakeHome

pytestmark = pytest.mark.more


@pytest.fixture(scope="module")
def bot(make_home: MakeHome, broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hummingbot]:
    with commanded(tmp_path_factory.mktemp("commanded"), make_home, broker) as bot:
        yield bot


@pytest.fixture
def client(broker: Mosquitto, bot: Hummingbot) -> Iterator[SyncBotClient]:
    with commanding(bot, broker) as client:
        yield client


def test_before_anything_runs_it_says_so_and_tells_what_it_holds(client: SyncBotClient, bot: Hummingbot) -> None:
    """Status and history are answers, not errors; balances are asked of the exchange that has keys."""
    idle = client.status(BOT)
    assert idle.msg == "No strategy is running; nothing is imported", idle
    assert client.history(BOT).data == ()
    assert client.stop(BOT).msg == "nothing runs"
    held = client.balance(BOT).checked().data
    assert [(each.exchange, each.asset, each.total) for each in held or ()] == [
        ("local_exchange", "BTC", 10), ("local_exchange", "ETH", 100), ("local_exchange", "USDT", 100_000),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({}, "nothing is imported: import a strategy's configuration first"),
        ({"conf": "missing"}, "there is no configuration 'missing.yml': not in .*/conf/scripts/missing.yml, "),
        ({"script": "missing"}, "there is no script 'missing': no file .*/scripts/missing.py"),
        (
            {"script": "unfinished"},
            r"unfinished with its defaults was not started: SyntaxError: .*unfinished\.py, line 1",
        ),
        ({"script": "needy"}, "was not started: No module named 'no_such_package'"),
        ({"conf": "wrong"}, "most: Input should be greater than 0; colour: Extra inputs are not permitted"),
        ({"conf": "nowhere"}, "Hummingbot has no exchange 'mars'"),
        ({"conf": "misspelled"}, "was not started: a pair is spelled BTC-USDT, not 'BTCUSDT': look in"),
        ({"conf": "keyless"}, "API keys required for live trading connector 'kraken'"),
        ({"conf": "broken"}, "/conf/scripts/broken.yml cannot be read as YAML: while parsing"),
        ({"conf": "../conf_client"}, "is no configuration's name"),
        ({"script": SCRIPT, "conf": "init"}, "init.yml is the configuration of failing_script.py, not of "),
        ({"conf": "init"}, "failing_script with init.yml was not started: RuntimeError: init fails"),
        ({"conf": "start"}, "was not started: the clock has ended: RuntimeError: start fails"),
        ({"conf": "wrong_controller"}, "signal_controllers with wrong_controller.yml was not started: amount: Input "),
        ({"conf": "broken_controller"}, "with broken_controller.yml was not started: RuntimeError: no model"),
        ({"conf": "wrong_maker"}, "config variable bid_spread: Value must be between 0 and 100"),
        ({"script": SCRIPT, "log_level": "loud"}, "log_level 'loud' is none"),
    ],
)
def test_a_start_that_fails_says_why_and_leaves_nothing(
    client: SyncBotClient, bot: Hummingbot, wanted: dict[str, str], words: str
) -> None:
    """The field, the file or the exchange is named; no connector, clock or file is left of it."""
    confs = set((bot.home.folder / "conf").rglob("*.yml"))
    result = client.start(BOT, **wanted)

    assert (result.outcome, result.status) == (Outcome.REFUSED, 400)
    assert re.search(words, result.msg), result.msg
    state = bot.state()
    assert (state["running"], state["strategy"], state["name"], state["file"]) == (False, None, None, None)
    assert state["connectors"] == {}
    assert client.stop(BOT).msg == "nothing runs"
    assert set((bot.home.folder / "conf").rglob("*.yml")) == confs


def test_a_script_runs_when_its_start_is_answered(client: SyncBotClient, bot: Hummingbot) -> None:
    """The answer names the connectors; the status is the strategy's own, and its data the application's."""
    result = client.start(BOT, script=f"{SCRIPT}.py", conf=f"{SCRIPT}.yml")
    state = bot.state()

    assert result.msg.startswith(f"{SCRIPT} with {SCRIPT}.yml runs on local_exchange")
    assert (state["running"], state["name"], state["file"]) == (True, SCRIPT, f"{SCRIPT}.yml")
    assert client.start(BOT, conf=SCRIPT).msg == f"{SCRIPT} runs already, with {SCRIPT}.yml: stop it first"
    assert until(bot.trades)
    status = client.status(BOT)
    assert status.msg.strip() == bot.state()["status"] == "trades BTC-USDT on local_exchange, at most 5"
    told, connector = data_of(status), bot.state()["connectors"]["local_exchange"]
    assert (told["running"], told["strategy"], told["conf"]) == (True, SCRIPT, f"{SCRIPT}.yml")
    assert told["running_since"] == data_of(result)["running_since"]
    assert abs((datetime.now(UTC) - datetime.fromisoformat(told["running_since"])).total_seconds()) < 30
    shown = told["connectors"]["local_exchange"]
    assert (shown["ready"], shown["missing"], shown["trading_pairs"]) == (True, [], connector["pairs"])
    assert {asset: each["total"] for asset, each in shown["balances"].items()} == connector["balances"]


def test_trades_and_what_came_of_them_are_told_also_after_the_stop(
    client: SyncBotClient, bot: Hummingbot, broker: Mosquitto
) -> None:
    """Bought 0.5 at 100.1 and sold 0.2 at 99.9, mid price 100: fees of 0.1 %, and PnL against holding."""
    started(client, bot)
    order(broker, "market", type="buy", amount="0.5")
    until(lambda: len(bot.home.exchange.trades()) == 1)
    order(broker, "market", type="sell", amount="0.2")
    until(lambda: len(bot.home.exchange.trades()) == 2)
    until(lambda: len(client.history(BOT).data or ()) == 2)

    history = client.history(BOT, verbose=True)
    made = bot.home.exchange.trades()
    assert [(fill.side, fill.price, fill.quantity) for fill in history.data or ()] == [
        (each["side"], Decimal(each["price"]), Decimal(each["amount"])) for each in made
    ]
    (market,) = data_of(history)["markets"]
    fees = sum((Decimal(each["fee"]) for each in made), Decimal(0))
    pnl = Decimal("0.5") * (100 - Decimal("100.1")) + Decimal("0.2") * (Decimal("99.9") - 100)
    assert (market["market"], market["trading_pair"], market["num_buys"], market["num_sells"]) == (
        "local_exchange", "BTC-USDT", 1, 1,
    )  # fmt: skip
    assert Decimal(market["trade_pnl"]) == pnl
    assert Decimal(market["fee_in_quote"]) == fees == Decimal("0.07003")
    assert Decimal(market["total_pnl"]) == pnl - fees
    assert [fill["order_id"] for fill in data_of(history)["fills"]] == [
        each["client_id"] for each in bot.home.exchange.orders(state="FILLED")
    ]
    assert client.history(BOT, days=1e-9).data == ()
    (rounded,) = data_of(client.history(BOT, precision=1))["markets"]
    assert rounded["trade_pnl"] == "-0.1"

    held = {each.asset: (each.total, each.available) for each in client.balance(BOT, asset="btc").data or ()}
    assert held == {"BTC": (Decimal("10.3"), Decimal("10.3"))}
    assert client.stop(BOT).ok
    assert client.history(BOT).data == history.data
    assert Decimal(data_of(client.history(BOT))["markets"][0]["trade_pnl"]) == pnl


def test_a_stop_cancels_an_open_order_and_leaves_it_where_it_is_told_to(
    client: SyncBotClient, bot: Hummingbot, broker: Mosquitto
) -> None:
    """The answer names each order, and the exchange has it so when it comes."""
    for skip, state, words in ((False, "CANCELED", "cancelled buy 0.25"), (True, "OPEN", "left open buy 0.25")):
        started(client, bot)
        order(broker, "limit", type="buy", amount="0.25", price="50")
        (open_,) = until(lambda: bot.home.exchange.orders(state="OPEN"))
        until(lambda: bot.state()["connectors"]["local_exchange"]["orders"])
        (shown,) = data_of(client.status(BOT))["orders"]
        assert (shown["id"], shown["side"], Decimal(shown["price"])) == (open_["client_id"], "buy", 50)

        result = client.stop(BOT, skip_order_cancellation=skip)
        (now,) = [each for each in bot.home.exchange.orders() if each["client_id"] == open_["client_id"]]
        assert now["state"] == state
        assert f"{words} BTC-USDT at 50 on local_exchange ({open_['client_id']})" in result.msg
        told = data_of(result)
        assert (told["cancelled"], told["open"]) == (([], [now["client_id"]]) if skip else ([now["client_id"]], []))
        assert bot.state()["connectors"] == {}


def test_a_script_that_handles_an_error_of_its_own_is_started(client: SyncBotClient, bot: Hummingbot) -> None:
    """What it logs is no failure of the start."""
    assert client.start(BOT, conf="softly").msg.startswith("failing_script with softly.yml runs")
    assert bot.state()["running"]


def test_a_stop_that_could_not_do_everything_says_so_and_another_start_works(
    client: SyncBotClient, bot: Hummingbot
) -> None:
    """A strategy's own on_stop that raises keeps nothing running."""
    assert client.start(BOT, conf="stop").ok
    result = client.stop(BOT)

    assert result.msg.startswith("failing_script is stopped, but not everything was done: ")
    assert result.msg.endswith("on the way RuntimeError: stop fails")
    assert (bot.state()["running"], bot.state()["connectors"]) == (False, {})
    assert client.start(BOT, conf=SCRIPT).ok


def test_a_status_that_fails_is_told_with_the_rest(client: SyncBotClient, bot: Hummingbot) -> None:
    """format_status is the strategy's author's; a secret of the script's configuration is masked."""
    conf(bot.home, "scripts/status", script_file_name="failing_script.py", fails="status")
    assert client.start(BOT, conf="status").ok
    ready = until(lambda: data_of(client.status(BOT))["connectors"]["local_exchange"]["ready"])
    status = client.status(BOT)

    assert status.msg == "failing_script runs; its own status failed: RuntimeError: status fails"
    assert (ready, data_of(status)["running"]) == (True, True)
    shown = client.config(BOT).data
    assert shown is not None
    assert shown.config["strategy"]["api_key"] == "[redacted]"
    assert "cannot be changed while it runs" in client.config(BOT, {"fails": ""}).msg
