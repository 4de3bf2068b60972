"""A prediction that is posted reaches a real Hummingbot, and stops being in force there with nobody posting."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.fields import micros_text
from tests.docs.markdown import ROOT
from tests.e2e.deployment import Deployment, until
from tests.interop.hummingbot.bot import Hummingbot
from tests.interop.hummingbot.conftest import BOT, HERE, STARTS_WITHIN, MakeHome
from tests.interop.hummingbot.home import EXCHANGE, Home
from tests.interop.hummingbot.trading import open_deployment

pytestmark = [pytest.mark.more, pytest.mark.timeout(180)]

SOURCE = {
    "type": "prediction",
    "models": ["btc-lstm"],
    "interval": "1h",
    "hummingbot": {"ml_signals": True},
    "instrument": {"base": "BTC", "quote": "USDT", "kind": "spot"},
}
TRADES = {
    "connector_name": EXCHANGE,
    "trading_pair": "BTC-USDT",
    "total_amount_quote": "100",
    "max_executors_per_side": 1,
    "leverage": 1,
    "cooldown_time": 3600,
}
SCRIPT = ROOT / "examples" / "hummingbot" / "scripts" / "signal_controllers.py"
LONG = {"short": 0.1, "neutral": 0.2, "long": 0.7}
SHORT = {"short": 0.7, "neutral": 0.2, "long": 0.1}


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with open_deployment(tmp_path, {"ml": SOURCE}) as made:
        yield made


@pytest.fixture
def home(make_home: MakeHome, deployment: Deployment, tmp_path: Path) -> Iterator[Home]:
    """A Hummingbot whose controller hears ML signals and trades on them."""
    made = make_home(tmp_path / "home")
    made.configure(BOT, deployment.broker_port)
    controller = HERE / "livestream_controller.py"
    conf = made.controller(controller, "directional_trading", **TRADES)
    bot = Hummingbot(made, strategy=made.script(SCRIPT, controllers_config=[conf]))
    bot.start()
    try:
        until(lambda: heard(made), within=STARTS_WITHIN)
        yield made
    finally:
        bot.kill()


def heard(home: Home) -> list[dict[str, Any]]:
    record = home.folder / "data" / "signals.jsonl"
    return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []


def last(home: Home) -> int:
    return int(heard(home)[-1]["signal"])


def post(deployment: Deployment, token: str, probabilities: dict[str, float], *, seconds: float) -> str:
    until_ = micros_text(time.time_ns() // 1000 + int(seconds * 1e6))
    document = {"pair": "BTC-USDT", "probabilities": probabilities, "target_pct": 0.0042, "valid_until": until_}
    request = urllib.request.Request(
        f"http://127.0.0.1:{deployment.public}/v1/predictions/ml",
        data=json.dumps(document).encode(),
        headers={"Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request) as response:
        return str(json.load(response)["id"])


def test_its_signal_becomes_long_then_short_then_neutral_by_itself(deployment: Deployment, home: Home) -> None:
    """From the HTTP API to the strategy; when the last prediction expires, nobody posts and it is neutral."""
    token = deployment.cli("keys", "rotate", "ml", "--json")["token"]
    assert last(home) == 0, "nothing was predicted"

    long = post(deployment, token, LONG, seconds=60)
    until(lambda: last(home) == 1, within=5)
    until(lambda: [order["side"] for order in home.exchange.orders()] == ["BUY"])
    assert heard(home)[-1]["message"] | {"timestamp": ""} == {
        "id": long,
        "timestamp": "",
        "trading_pair": "BTC-USDT",
        "probabilities": [0.1, 0.2, 0.7],
        "target_pct": 0.0042,
    }
    post(deployment, token, SHORT, seconds=8)
    until(lambda: last(home) == -1, within=5)
    until(lambda: last(home) == 0, within=15)

    said = [entry["signal"] for entry in heard(home)]
    assert [one for one, before in zip(said, [None, *said], strict=False) if one != before] == [0, 1, -1, 0]


def test_a_gateway_that_was_killed_on_long_says_neutral_at_its_start(deployment: Deployment, home: Home) -> None:
    """The prediction expires while nobody runs: neutral follows within 5 s of the connection, and nothing before it."""
    token = deployment.cli("keys", "rotate", "ml", "--json")["token"]
    expires = time.time() + 4
    post(deployment, token, LONG, seconds=4)
    until(lambda: last(home) == 1, within=3)
    assert deployment.stop_gateway(signal.SIGKILL) == -signal.SIGKILL
    until(lambda: time.time() > expires + 1)
    assert last(home) == 1, "a stock bot is on its own"
    before = len(heard(home))

    deployment.start_gateway()

    connected = time.monotonic()
    until(lambda: last(home) == 0, within=5)
    assert time.monotonic() - connected < 5
    assert all(entry["signal"] == 0 for entry in heard(home)[before:])
