"""A real Hummingbot that is commanded: what lies in its folders, right and wrong, and how its strategies are driven."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from bot_plugin.client import SyncBotClient
from bot_plugin.client.results import Result
from tests.brokers import Mosquitto, require
from tests.docs.markdown import ROOT
from tests.e2e.deployment import until
from tests.interop.hummingbot.bot import Hummingbot
from tests.interop.hummingbot.conftest import BOT, HERE, MakeHome, settings_of, wait_alive
from tests.interop.hummingbot.home import Home

SCRIPT = "trading_script"
SECRET = "only-the-broker-knows"
MAKER = {
    "template_version": 24,
    "strategy": "pure_market_making",
    "exchange": "local_exchange",
    "market": "BTC-USDT",
    "bid_spread": 1,
    "ask_spread": 1,
    "order_refresh_time": 30,
    "order_amount": 0.1,
}

BROKEN = """\
    def __init__(self, *_):
        raise RuntimeError("no model")

"""


@contextmanager
def commanded(folder: Path, make_home: MakeHome, broker: Mosquitto) -> Iterator[Hummingbot]:
    """With the plugin, and without a strategy that runs."""
    home = make_home(folder / "home")
    home.configure(BOT, broker.port, mqtt_bridge={"mqtt_username": "bot1", "mqtt_password": SECRET})
    furnish(home)
    bot = Hummingbot(home, plugin="attach")
    bot.start()
    try:
        wait_alive(bot, broker)
        with SyncBotClient(settings_of(broker)) as client:
            until(lambda: client.status(BOT).ok)  # the stock bridge beside it may beat first
        yield bot
    finally:
        bot.kill()


@contextmanager
def commanding(bot: Hummingbot, broker: Mosquitto) -> Iterator[SyncBotClient]:
    """A client that leaves the bot stopped."""
    with SyncBotClient(settings_of(broker)) as client:
        yield client
        client.stop(BOT)
        assert bot.state()["running"] is False


def furnish(home: Home) -> None:
    home.script(HERE / f"{SCRIPT}.py")
    home.script(HERE / "failing_script.py")
    home.controller(HERE / "buying_controller.py", "generic")
    shutil.copy(ROOT / "examples" / "hummingbot" / "scripts" / "signal_controllers.py", home.folder / "scripts")
    home.strategy("maker", **MAKER)
    home.strategy("wrong_maker", **MAKER | {"bid_spread": -1, "ask_spread": "wide"})
    home.strategy("empty_maker", strategy="pure_market_making", exchange="local_exchange", market="BTC-USDT")
    home.strategy("keyless_maker", **MAKER | {"exchange": "kraken"})
    home.strategy("avellaneda", strategy="avellaneda_market_making", exchange="local_exchange", market="BTC-USDT",
                  order_amount=0.1, order_refresh_time=20, execution_timeframe_mode={})  # fmt: skip
    conf(home, "scripts/wrong", script_file_name=f"{SCRIPT}.py", most=-1, colour="red")
    conf(home, "scripts/nowhere", script_file_name=f"{SCRIPT}.py", exchange="mars")
    conf(home, "scripts/misspelled", script_file_name=f"{SCRIPT}.py", pair="BTCUSDT")
    conf(home, "scripts/keyless", script_file_name=f"{SCRIPT}.py", exchange="kraken")
    conf(home, "scripts/init", script_file_name="failing_script.py", fails="init")
    conf(home, "scripts/start", script_file_name="failing_script.py", fails="start")
    conf(home, "scripts/softly", script_file_name="failing_script.py", fails="softly")
    conf(home, "scripts/stop", script_file_name="failing_script.py", fails="stop")
    broken = (HERE / "buying_controller.py").read_text().replace("    async def", f"{BROKEN}    async def", 1)
    (home.folder / "controllers" / "generic" / "broken_controller.py").write_text(broken)
    conf(home, "controllers/broken_controller", id="broken", controller_name="broken_controller",
         controller_type="generic")  # fmt: skip
    conf(home, "controllers/wrong_controller", id="wrong", controller_name="buying_controller",
         controller_type="generic", amount=-1)  # fmt: skip
    (home.folder / "scripts" / "unfinished.py").write_text("class Unfinished(\n")
    (home.folder / "scripts" / "needy.py").write_text("import no_such_package\n")
    (home.folder / "conf" / "scripts" / "broken.yml").write_text("a: [b\nc: }\n")


def conf(home: Home, name: str, **values: Any) -> None:
    (home.folder / "conf" / f"{name}.yml").write_text(yaml.safe_dump(values))


def order(broker: Mosquitto, kind: str, **data: str) -> None:
    """Let the strategy place an order, by an external event."""
    program = require("mosquitto_pub", package="mosquitto-clients")
    topic, event = f"hbot/{BOT}/external/event/order/{kind}", {"timestamp": 1, "type": "eevent", "data": data}
    target = ["-h", broker.host, "-p", str(broker.port), "-t", topic, "-m", json.dumps(event)]
    subprocess.run([program, *target], check=True)


def data_of(result: Result[Any]) -> Any:
    assert result.ok, result
    return result.more["data"]


def stored(bot: Hummingbot, name: str) -> Any:
    return yaml.safe_load((bot.home.folder / "conf" / name).read_text())


def started(client: SyncBotClient, bot: Hummingbot) -> None:
    """Start the script, and return when it may trade."""
    result = client.start(BOT, conf=SCRIPT)
    assert result.ok, result
    until(bot.trades, within=20)


def bought(client: SyncBotClient) -> dict[str, Any] | None:
    """How the controller did, once that has been reckoned."""
    performance = data_of(client.status(BOT))["controllers"]["buying_controller"]
    return performance if performance and Decimal(performance["volume_traded"]) else None
