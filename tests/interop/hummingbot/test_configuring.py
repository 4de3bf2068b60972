"""Configuration, import and balances on a real Hummingbot, over MQTT, held against its own state and its files.

The tests share the bot and run in their order; each leaves it stopped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal

import pytest

from bot_plugin.client import SyncBotClient
from tests.brokers import Mosquitto
from tests.e2e.deployment import until
from tests.interop.hummingbot.bot import Hummingbot
from tests.interop.hummingbot.commanded import (
    SCRIPT,
    SECRET,
    bought,
    commanded,
    commanding,
    data_of,
    started,
    stored,
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


def test_configuration_is_read_without_secrets_and_changed_all_or_nothing(
    client: SyncBotClient, bot: Hummingbot
) -> None:
    """200 exactly when every value is in memory and in the file; else every wrong key is named, and nothing changed."""
    read = client.config(BOT).checked().data
    assert read is not None
    told, own = read.config["client"], bot.state()["client"]
    assert (told["tick_size"], told["instance_id"]) == (own["tick_size"], BOT)
    assert told["mqtt_bridge.mqtt_port"] == own["mqtt_bridge"]["mqtt_port"]
    assert told["mqtt_bridge.mqtt_password"] == "[redacted]"

    changed = client.config(
        BOT, {"tick_size": 0.5, "rate_limits_share_pct": "60", "mqtt_bridge.mqtt_password": "new-secret"}
    )
    assert changed.ok, changed
    assert "tick_size" in changed.msg
    assert "mqtt_bridge.mqtt_password when Hummingbot is started" in changed.msg
    assert (changed.data and changed.data.changes[0]) == ("tick_size", 0.5)
    assert not {SECRET, "new-secret"} & set(re.findall(r"[\w-]+", json.dumps(changed.more)))
    state = bot.state()["client"]
    assert (state["tick_size"], Decimal(state["rate_limits_share_pct"])) == (0.5, 60)
    assert stored(bot, "conf_client.yml")["tick_size"] == 0.5
    assert stored(bot, "conf_client.yml")["mqtt_bridge"]["mqtt_password"] == "new-secret"

    wrong = client.config(BOT, {"tick_size": 1, "rate_limits_share_pct": 900, "mqtt_bridge.mqtt_port": "new-secret"})
    assert wrong.status == 400
    assert "rate_limits_share_pct: Input should be less than or equal to 100" in wrong.msg
    assert "mqtt_bridge.mqtt_port: Input should be a valid integer" in wrong.msg
    unknown = client.config(BOT, {"tick_size": 1, "colour": "red"})
    assert unknown.msg.startswith("Invalid param key(s): ['colour']; nothing was changed")
    assert bot.state()["client"] == state
    assert client.config(BOT, {"tick_size": 1}).ok


def test_a_file_that_cannot_be_written_changes_nothing(client: SyncBotClient, bot: Hummingbot) -> None:
    """It would be forgotten at the next start: that is no success."""
    path, before = bot.home.folder / "conf" / "conf_client.yml", bot.state()
    kept = path.read_bytes()
    path.unlink()
    path.mkdir()
    try:
        results = [
            client.config(BOT, {"tick_size": 2}),
            client.balance_limit(BOT, "local_exchange", "BTC", 1),
            client.balance_paper(BOT, "BTC", 1),
        ]
    finally:
        path.rmdir()
        path.write_bytes(kept)

    assert all(result.status == 400 and "conf_client.yml could not be written" in result.msg for result in results)
    after = bot.state()
    assert [after[part] for part in ("client", "limits", "paper")] == [
        before[part] for part in ("client", "limits", "paper")
    ]


def test_limits_hold_at_once_and_paper_balances_from_the_next_start(client: SyncBotClient, bot: Hummingbot) -> None:
    """The answer has the figures as they are then; they are in the file, and a strategy that runs keeps to a limit."""
    started(client, bot)
    limited = client.balance_limit(BOT, "local_exchange", "usdt", "500.5")
    assert data_of(limited) == {"local_exchange": {"USDT": "500.5"}}
    assert stored(bot, "conf_client.yml")["balance_asset_limit"]["local_exchange"] == {"USDT": 500.5}
    available = until(lambda: bot.state()["connectors"]["local_exchange"]["available"]["USDT"])
    assert Decimal(available) <= Decimal("500.5")
    held = {each.asset: each.available for each in client.balance(BOT, exchange="local_exchange").data or ()}
    assert held["USDT"] == Decimal(available)

    assert data_of(client.balance_limit(BOT, "local_exchange", "USDT", -1)) == {"local_exchange": {}}
    assert not bot.state()["limits"]["local_exchange"]
    assert client.balance_limit(BOT, "mars", "USDT", 1).msg.startswith("Hummingbot has no exchange 'mars'")
    assert "mars" not in bot.state()["limits"]
    assert client.balance(BOT, exchange="mars").msg.startswith("Hummingbot has no exchange 'mars'")
    assert client.balance(BOT, exchange="kraken").msg == "kraken: it has no API keys here"

    paper = data_of(client.balance_paper(BOT, "btc", "7.25"))
    assert Decimal(paper["BTC"]) == Decimal("7.25") == Decimal(str(bot.state()["paper"]["BTC"]))
    assert stored(bot, "conf_client.yml")["paper_trade"]["paper_trade_account_balance"]["BTC"] == 7.25
    assert "BTC" not in data_of(client.balance_paper(BOT, "BTC", -1))


def test_an_imported_strategy_is_configured_started_and_stopped(client: SyncBotClient, bot: Hummingbot) -> None:
    """A wrong import leaves what was imported; its values are changed as validated, in the file too."""
    for name, words in (
        ("wrong_maker", "config variable ask_spread: wide is not in decimal format"),
        ("empty_maker", "missing: bid_spread, ask_spread, order_refresh_time, order_amount"),
        ("nothing", "there is no file .*/conf/strategies/nothing.yml"),
        (SCRIPT, f"{SCRIPT}.yml is the configuration of a script: start it with"),
    ):
        refused = client.import_strategy(BOT, name)
        assert refused.status == 400
        assert re.search(words, refused.msg), refused.msg
        assert bot.state()["name"] is None
    assert client.import_strategy(BOT, "maker").msg == "maker.yml is imported: pure_market_making on local_exchange"
    assert (bot.state()["name"], bot.state()["file"]) == ("pure_market_making", "maker.yml")
    assert client.import_strategy(BOT, "wrong_maker").status == 400
    assert Decimal(bot.state()["imported"]["bid_spread"]) == 1

    wrong = client.config(BOT, {"bid_spread": 2, "ask_spread": "wide", "order_levels": 1.5})
    assert wrong.msg.startswith("nothing was changed: ask_spread: 'wide' is no valid decimal; order_levels: ")
    assert Decimal(bot.state()["imported"]["bid_spread"]) == stored(bot, "strategies/maker.yml")["bid_spread"] == 1
    assert client.config(BOT, [("bid_spread", 2), ("ask_spread", "3")]).ok
    assert Decimal(bot.state()["imported"]["bid_spread"]) == 2
    assert stored(bot, "strategies/maker.yml")["ask_spread"] == 3

    assert client.start(BOT).msg.startswith("pure_market_making with maker.yml runs on local_exchange")
    assert client.import_strategy(BOT, "maker").msg.startswith("pure_market_making runs: stop it")
    placed = until(lambda: bot.home.exchange.orders(state="OPEN")[1:], within=20)
    assert {Decimal(each["price"]) for each in placed} <= {Decimal(98), Decimal(103), Decimal(50)}
    adjusted = client.config(BOT, {"bid_spread": 5, "order_refresh_time": 60})
    assert adjusted.msg == "takes effect later: order_refresh_time when the strategy is started"
    assert "Best Bid" in client.status(BOT).msg
    result = client.stop(BOT)
    assert result.ok, result
    assert "at 103 on local_exchange" in result.msg
    assert not [each for each in bot.home.exchange.orders(state="OPEN") if Decimal(each["price"]) != 50]
    assert client.start(BOT).msg.startswith("nothing is imported")


def test_a_strategy_that_hummingbot_has_a_model_of_is_configured_by_it(client: SyncBotClient, bot: Hummingbot) -> None:
    """A mode that is chosen needs its own values too; while the strategy runs, nothing of it can be changed."""
    assert client.import_strategy(BOT, "avellaneda.yml").ok
    shown = client.config(BOT).checked().data
    assert shown is not None
    assert (shown.config["strategy"]["order_amount"], shown.config["strategy"]["execution_timeframe_mode"]) == (
        "0.1", "infinite",
    )  # fmt: skip
    wrong = client.config(BOT, {"order_amount": -1, "risk_factor": "high"})
    assert (
        wrong.msg
        == "nothing was changed: order_amount: Value must be more than 0.; risk_factor: high is not in decimal format."
    )
    mode = [("execution_timeframe_mode", "daily_between_times"), ("execution_timeframe_mode.start_time", "10:00:00")]
    lacking = client.config(BOT, mode)
    assert lacking.msg == "nothing was changed: execution_timeframe_mode.end_time: is required by what was chosen"
    assert bot.state()["imported"]["execution_timeframe_mode"] == {}
    assert client.config(BOT, [*mode, ("execution_timeframe_mode.end_time", "11:00:00"), ("order_amount", "0.2")]).ok
    in_file = stored(bot, "strategies/avellaneda.yml")
    assert (in_file["order_amount"], in_file["execution_timeframe_mode"]["end_time"]) == (0.2, "11:00:00")
    assert client.config(BOT, {"execution_timeframe_mode": "infinite"}).ok

    assert client.start(BOT).msg.startswith("avellaneda_market_making with avellaneda.yml runs on local_exchange")
    assert "Hummingbot cannot change it while the strategy runs" in client.config(BOT, {"order_amount": "0.3"}).msg


def test_a_strategy_whose_exchange_has_no_keys_is_imported_with_a_warning_and_not_started(
    client: SyncBotClient, bot: Hummingbot
) -> None:
    """Its own code swallows the error and would leave nothing that trades; what was imported stays so."""
    assert client.import_strategy(BOT, "keyless_maker").msg.endswith("on kraken; no API keys here for kraken")
    refused = client.start(BOT)

    assert refused.status == 400
    assert "was not started: API keys required for live trading connector 'kraken'" in refused.msg
    state = bot.state()
    assert (state["running"], state["name"], state["connectors"]) == (False, "pure_market_making", {})


def test_a_controllers_configuration_is_started_by_itself(client: SyncBotClient, bot: Hummingbot) -> None:
    """Its performance has known figures; what its model marks as updatable is changed while it runs, and stays so."""
    assert client.start(BOT, conf="buying_controller").msg.startswith("signal_controllers with buying_controller.yml ")
    before = len(bot.home.exchange.trades())
    until(lambda: len(bot.home.exchange.trades()) > before, within=20)
    performance = until(lambda: bought(client), within=20)
    assert Decimal(performance["volume_traded"]) == Decimal("10.01")
    assert Decimal(performance["unrealized_pnl_quote"]) == Decimal("-0.01")

    shown = client.config(BOT).data
    assert shown is not None
    assert shown.config["controllers"]["buying_controller"]["most"] == "1"
    assert client.config(BOT, {"buying_controller.most": 3}).ok
    assert stored(bot, "controllers/buying_controller.yml")["most"] == 3
    assert "Input should be greater than 0" in client.config(BOT, {"most": -3}).msg
    assert "does not mark it as updatable" in client.config(BOT, {"amount": 3}).msg
    again = client.config(BOT).data
    assert again is not None
    assert again.config["controllers"]["buying_controller"]["most"] == "3"
