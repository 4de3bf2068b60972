"""Hummingbot started by our command: headless and with its screen, from its source and as a package."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import MemoryInbox, PluginSettings, SignalListener
from bot_plugin.client import SyncBotClient
from tests.brokers import Mosquitto
from tests.docs.markdown import ROOT
from tests.e2e.deployment import until
from tests.interop.hummingbot.bot import Hummingbot, tail
from tests.interop.hummingbot.conftest import BOT, HERE, MakeHome, settings_of
from tests.interop.hummingbot.ear import Ear
from tests.interop.hummingbot.home import PASSWORD, Home
from tests.interop.hummingbot.levered import SCRIPT, TOPIC, Levered
from tests.interop.hummingbot.terminal import Terminal

pytestmark = pytest.mark.more

MakeLevered = Callable[..., Levered]
MAKER = {"template_version": 24, "strategy": "pure_market_making", "exchange": "local_exchange", "market": "BTC-USDT"}
MAKER |= {"bid_spread": 1, "ask_spread": 1, "order_refresh_time": 30, "order_amount": 0.1}


@pytest.fixture
def home(make_home: MakeHome, broker: Mosquitto, tmp_path: Path) -> Home:
    home = make_home(tmp_path / "home")
    home.configure(BOT, broker.port)
    return home


@pytest.fixture
def ear(broker: Mosquitto) -> Iterator[Ear]:
    ear = Ear(broker)
    yield ear
    ear.close()


def command(home: Home, *arguments: str) -> list[str]:
    return [str(home.python), "-m", "bot_plugin.hummingbot", *arguments]


def environment(home: Home) -> dict[str, str]:
    """A Hummingbot that is run from its source, and our package."""
    return {"PYTHONPATH": os.pathsep.join([str(home.folder), str(ROOT)])}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_properly(home: Home, broker: Mosquitto, number: int) -> None:
    """Its open order is cancelled and told so, it says goodbye last of all, and ends without an error."""
    bot = Levered(home, broker, plugin="launcher")
    try:
        bot.start()
        order = bot.pull("order", "buy", "0.1", "50")
        until(lambda: home.exchange.orders(state="OPEN"))
        code = bot.bot.end(number)

        assert code == 0, tail(bot.bot)
        assert not home.exchange.orders(state="OPEN")
        until(lambda: bot.ear.on(f"{TOPIC}/status_updates")[-1]["msg"] == "offline")
        assert [event["type"] for event in bot.events(order)] == ["BuyOrderCreated", "OrderCancelled"]
        assert bot.figures() == {}
        assert bot.ear.on(f"signals/v1/bot/{BOT}")[-1]["data"]["presence"] == "offline"
    finally:
        bot.close()


def run(home: Home, *arguments: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    """Start it headless, where it cannot be started."""
    variables = {**os.environ, **environment(home), "CONFIG_PASSWORD": password}
    told = subprocess.PIPE
    return subprocess.run(
        command(home, "--headless", *arguments),
        cwd=home.folder, env=variables, stdout=told, stderr=told, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "password", "words"),
    [
        (("--v2", "none.yml"), PASSWORD, r"none\.yml"),
        (("-f", "none.yml"), PASSWORD, r"none\.yml"),
        ((), "wrong", r"the password is not the one that this folder was set up with"),
    ],
)
def test_what_cannot_be_started_ends_it_with_one_line(
    home: Home, arguments: tuple[str, ...], password: str, words: str
) -> None:
    """For whoever starts it: which file, or that it is the password."""
    ended = run(home, *arguments, password=password)

    assert ended.returncode == 1
    assert re.search(words, ended.stderr), ended.stderr
    assert ended.stderr.count("\n") == 1, ended.stderr


@pytest.mark.parametrize(
    ("ours", "words"),
    [
        ("modus: live", r"'modus' is no setting"),
        ("listen: {a/b: act}", r"the strategy says what it listens to"),
        ("mqtt_tls: true\nmqtt_ca: /none.pem", r"/none\.pem"),
    ],
)
def test_a_mistake_in_our_file_ends_it_with_one_line(home: Home, ours: str, words: str) -> None:
    """Before anything trades."""
    (home.folder / "conf" / "conf_signal_gateway.yml").write_text(ours)
    ended = run(home, "--v2", home.script(SCRIPT))

    assert ended.returncode == 1
    assert re.search(words, ended.stderr), ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("mqtt_bridge:\n  mqtt_hsot: x\n", r"conf_client\.yml: mqtt_bridge\.mqtt_hsot: Extra inputs are not permitted"),
        ("mqtt_bridge: [\n", r"conf_client\.yml: .*line 2"),
    ],
)
def test_a_mistake_in_hummingbots_file_ends_it_with_one_line(home: Home, wrong: str, words: str) -> None:
    """It names the file, and the field or the line."""
    (home.folder / "conf" / "conf_client.yml").write_text(wrong)
    ended = run(home)

    assert ended.returncode == 1
    assert re.search(words, ended.stderr, re.DOTALL), ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("bridge", [True, False], ids=["with the stock bridge", "without"])
def test_a_name_that_is_taken_ends_it_before_anything_trades(home: Home, broker: Mosquitto, *, bridge: bool) -> None:
    """Two bots of one name would fight over one session, and their stock bridges over another: ours never connects."""
    home.configure(BOT, broker.port, mqtt_bridge={"mqtt_autostart": bridge})
    other = SignalListener(
        PluginSettings(bot=BOT, host=broker.host, port=broker.port, commands=False), inbox=MemoryInbox()
    )
    with other.in_thread():
        ended = run(home, "--v2", home.script(SCRIPT))

    assert ended.returncode == 1
    assert f"bot name '{BOT}' is in use by another process" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
    said = ended.stdout + ended.stderr + "".join(log.read_text() for log in (home.folder / "logs").glob("*.log"))
    assert "Created connector" not in said
    assert "Connecting MQTT Bridge" not in said


def test_a_broker_that_refuses_its_login_ends_it_before_anything_trades(home: Home, tmp_path: Path) -> None:
    """Trying again would not mend it."""
    (tmp_path / "strict").mkdir()
    strict = Mosquitto(tmp_path / "strict", users={BOT: "right"})
    strict.start()
    login = {"mqtt_autostart": False, "mqtt_username": BOT, "mqtt_password": "wr0ng"}
    home.configure(BOT, strict.port, mqtt_bridge=login)
    try:
        ended = run(home, "--v2", home.script(SCRIPT))
    finally:
        strict.kill()

    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert "not authorized" in last.lower(), ended.stderr
    assert f"conf/conf_client.yml; where it is lost, signal-gateway bots rotate {BOT} prints" in last
    assert (ended.stdout + ended.stderr).count("the broker refuses") == 1, ended.stdout + ended.stderr
    assert "wr0ng" not in ended.stderr
    assert "Created connector" not in ended.stdout


def test_a_broker_that_is_away_holds_nobody_up(home: Home, broker: Mosquitto) -> None:
    """The strategy starts without it, and says nothing to anybody; a signal ends it all the same."""
    home.configure(BOT, 1, mqtt_bridge={"mqtt_autostart": False})
    bot = Hummingbot(home, strategy=home.script(HERE / "lever_script.py"), plugin="launcher")
    try:
        bot.start()
        until(lambda: "strategy execution started" in bot.log.read_text(), within=60)
        until(lambda: "is not reached yet: the plugin goes on trying" in bot.log.read_text())
        assert bot.end() == 0, tail(bot)
    finally:
        bot.kill()


def test_a_package_lives_in_the_folder_that_is_named(home: Home, broker: Mosquitto, tmp_path: Path, ear: Ear) -> None:
    """What it lacks is made, nothing is written into the package, and its scripts are found in the folder."""
    folder, source = tmp_path / "hb", HERE / "recording_script.py"
    for part in ("conf/scripts", "scripts"):
        (folder / part).mkdir(parents=True)
    shutil.copy(home.folder / "conf" / "conf_client.yml", folder / "conf")
    shutil.copy(source, folder / "scripts")
    shutil.copy(home.folder / "conf" / "scripts" / home.script(source), folder / "conf" / "scripts")
    before = sorted(path.name for path in home.package.parent.iterdir())
    begun = command(home, "--headless", "--root", "hb", "--v2", "recording_script.yml")
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "CONFIG_PASSWORD": "the first one"}
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(begun, cwd=tmp_path, env=variables, stdout=said, stderr=said)
    try:
        until(lambda: figures(ear, "recording_script"), within=60)
        ear.publish(f"{TOPIC}/external/event/x", {"timestamp": 1, "data": {"y": 1}})
        until((folder / "data" / "events.jsonl").exists)
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert f"ready as {BOT} on {broker.host}:{broker.port}\n" in (tmp_path / "said").read_text()
    assert (folder / "data" / "signal-gateway" / BOT).is_dir()
    assert (folder / "conf" / ".password_verification").is_file()
    assert sorted(path.name for path in home.package.parent.iterdir()) == before


def figures(ear: Ear, name: str) -> list[dict[str, Any]]:
    return [one[name] for one in ear.on(f"{TOPIC}/performance") if name in one]


def test_a_v1_strategy_has_figures_too(home: Home, ear: Ear) -> None:
    """Its bid of 0.1 at 99 is reached: what it bought is worth 98 now."""
    bot = Hummingbot(home, plugin="launcher")
    bot._command += ["-f", home.strategy("maker", **MAKER)]
    try:
        bot.start()
        until(lambda: len(home.exchange.orders(state="OPEN")) == 2, within=60)
        home.exchange.price("BTC-USDT", bid="97", ask="99")

        def told() -> dict[str, Any]:
            return figures(ear, "pure_market_making")[-1]["performance"]

        until(lambda: told().get("unrealized_pnl_quote") == pytest.approx(-0.1), within=15)
        assert told()["trades"] == 1
        assert told()["volume_traded"] == pytest.approx(9.9)
        assert told()["fees_quote"] == pytest.approx(0.0099)
        assert told()["realized_pnl_quote"] == pytest.approx(-0.0099)
    finally:
        bot.kill()


@pytest.mark.parametrize("script", ["examples/hummingbot/scripts/signal_controllers.py", "publishing_script.py"])
def test_figures_of_controllers_are_told_by_one_of_both(home: Home, ear: Ear, script: str) -> None:
    """By the script where it tells them, and by the plugin where none does; never by both."""
    controller = home.controller(HERE / "buying_controller.py", "generic")
    source = HERE / script if (HERE / script).exists() else ROOT / script
    bot = Hummingbot(home, strategy=home.script(source, controllers_config=[controller]), plugin="launcher")
    try:
        bot.start()

        def bought() -> list[dict[str, Any]]:
            told = figures(ear, "buying_controller")
            return [one for one in told if one.get("performance", {}).get("volume_traded")]

        until(bought, within=60)
        until(lambda: len(bought()) >= 2, within=15)
        told = bought()[-1]
        assert told["performance"]["volume_traded"] == pytest.approx(10.01)
        assert told["performance"]["unrealized_pnl_quote"] == pytest.approx(-0.01, abs=0.011)
        tellers = {str(one["custom_info"]) for one in figures(ear, "buying_controller")}
        assert tellers == {"{'teller': 'script'}" if script.startswith("publishing") else "{}"}
    finally:
        bot.kill()


@pytest.mark.parametrize("bridge", [True, False])
def test_with_its_screen_it_does_the_same(home: Home, broker: Mosquitto, ear: Ear, bridge: object) -> None:
    """What is loaded starts; it is commanded from outside and from the keyboard, and ends with a goodbye."""
    home.configure(BOT, broker.port, mqtt_bridge={"mqtt_autostart": bridge})
    conf = home.script(HERE / "lever_script.py")
    given = command(home, "-p", PASSWORD, "--v2", conf)
    terminal = Terminal(given, folder=home.folder, environment=environment(home))
    try:
        with SyncBotClient(settings_of(broker)) as client:
            terminal.until(lambda: figures(ear, "lever_script"), within=60)
            terminal.until(lambda: "started successfully" in terminal.text)
            assert client.status(BOT).ok
            assert client.stop(BOT).ok
            terminal.until(lambda: "Hummingbot stopped." in terminal.text)
            assert client.start(BOT, conf=conf).ok
            terminal.until(lambda: "was started by a remote command" in terminal.text)
            terminal.until(lambda: "Balances:" in client.status(BOT).msg)
            terminal.type("status")
            terminal.until(lambda: any("Balances:" in one["msg"] for one in ear.on(f"{TOPIC}/notify")))
            terminal.type("exit") if bridge else os.kill(terminal.pid, signal.SIGTERM)
            assert terminal.ended() == 0
        until(lambda: ear.on(f"{TOPIC}/status_updates")[-1]["msg"] == "offline")
        starts = [line for line in ear.on(f"{TOPIC}/log") if "strategy execution started" in line["msg"]]
        assert len(starts) == 2
    finally:
        terminal.close()
