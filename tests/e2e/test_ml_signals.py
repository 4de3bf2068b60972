"""What a stock bot with ``ai_livestream`` is told, by whole processes, with the logins that the gateway makes."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack

import pytest

from tests.brokers import require
from tests.e2e.deployment import until
from tests.e2e.stock_listener import StockListener
from tests.e2e.test_predictions import new_token, prediction, stream
from tests.receiver import receiving

SOURCES = {
    "ml": {
        "type": "prediction",
        "models": ["btc-lstm"],
        "interval": "1h",
        "hummingbot": {"ml_signals": True},
        "instrument": {"base": "BTC", "quote": "USDT", "kind": "spot"},
    }
}
TOPIC = "hbot/predictions/btc_usdt/ML_SIGNALS"
LONG, NEUTRAL = [0.1, 0.2, 0.7], [0.0, 1.0, 0.0]


@pytest.fixture
def listener():
    """Start a stock bot's listener."""
    with ExitStack() as stack:

        def make(deployment, name):
            made = StockListener(deployment, name)
            stack.callback(made.stop)
            made.start()
            return made

        yield make


def test_the_last_word_of_a_gateway_that_is_stopped_is_neutral(deploy, external, listener):
    """Whoever trades on its words hears it before the connection ends."""
    deployment = deploy(sources=SOURCES, external=external)
    bot = listener(deployment, "stock")
    until(lambda: bot.ml_signals()[-1:] == [NEUTRAL])
    answer, *_ = stream(deployment, new_token(deployment), json.dumps(prediction(0)).encode())
    assert "id" in answer, answer
    until(lambda: bot.ml_signals()[-1:] == [LONG])

    assert deployment.stop_gateway() == 0

    until(lambda: bot.ml_signals()[-1:] == [NEUTRAL], within=3)


def test_a_retained_message_is_cleared_and_told_by_log_metric_and_notification(deploy, listener):
    """A bot that connects later does not act on what somebody had the broker keep."""
    with receiving() as receiver:
        notify = {"targets": [receiver.url], "group_for": "1s"}
        deployment = deploy(sources=SOURCES, external=True, settings={"notify": notify})
        assert deployment.stop_gateway() == 0
        login = ["-p", str(deployment.broker_port), "-u", "gateway", "-P", "a-password-of-the-gateway"]
        program = require("mosquitto_pub", package="mosquitto-clients")
        message = json.dumps({"probabilities": [0, 0, 1]})
        subprocess.run([program, *login, "-q", "1", "-r", "-t", TOPIC, "-m", message], check=True, timeout=20)
        before = listener(deployment, "stock")
        until(lambda: before.ml_signals() == [[0, 0, 1]])

        deployment.start_gateway()

        until(lambda: deployment.metric("signal_gateway_retained_found_total") == 1)
        until(lambda: receiver.about(TOPIC), within=10)
        later = listener(deployment, "later")
        until(later.ml_signals, within=10)
    assert {tuple(said) for said in later.ml_signals()} == {tuple(NEUTRAL)}
    log = [json.loads(line) for line in (deployment.folder / "gateway.log").read_text().splitlines() if "{" in line]
    (found,) = [line for line in log if line.get("event") == "retained_found"]
    assert (found["topic"], found["problem"]) == (TOPIC, "")
