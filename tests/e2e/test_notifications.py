"""A receiver on loopback is told of each thing that goes wrong around a gateway's process, once per burst."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.markdown import ROOT
from tests.e2e.deployment import Bot, Deployment, spawn, until
from tests.e2e.test_alert_to_callback import BASES, alert
from tests.receiver import Receiver, receiving

BAD = b'{"ticker": "BTCUSDT", "action": "sideways"}'
EXIT = {"action": "sell", "market_position": "flat", "prev_market_position": "long"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def told(deploy: Callable[..., Deployment], receiver: Receiver) -> Callable[..., Deployment]:
    """Deploy a gateway that tells the receiver."""

    def make(sources: dict[str, Any], *, external: bool = True, notify: dict[str, Any] | None = None) -> Deployment:
        settings = {"targets": [receiver.url], "group_for": "1s", "broker_away_after": "1s"} | (notify or {})
        return deploy(sources=sources, external=external, settings={"notify": settings})

    return make


def one_about(receiver: Receiver, words: str) -> dict[str, Any]:
    """The notification that says something; there is one."""
    until(lambda: receiver.about(words), within=40)
    (found,) = receiver.about(words)
    return dict(found)


def test_a_burst_of_refused_alerts_is_told_once_with_their_number(told, receiver):
    deployment = told({"tv": {}}, external=False)
    for _ in range(30):
        assert deployment.post("tv", BAD)[0] == 422
    found = one_about(receiver, "what tv sent was refused as invalid")
    assert deployment.post("tv", BAD)[0] == 422
    until(lambda: deployment.metric("signal_gateway_problems_total", kind="refused") == 31)
    assert deployment.stop_gateway() == 0

    assert found["title"] == "signal-gateway: refused, source tv"
    assert "action: is not an action that is understood" in found["message"]
    assert "(30 times since " in found["message"]
    assert len(receiver.received) == 1


def test_a_publish_that_the_acl_denies_is_told(told, receiver):
    deployment = told({"barred": {}})
    acl = deployment.folder / "mosquitto" / "acl"
    acl.write_text(acl.read_text().replace("topic write signals/v1/#", "topic write signals/v1/nothing"))
    deployment.mosquitto.reload()
    for base in BASES[:5]:
        deployment.post("barred", alert(base))
    found = one_about(receiver, "ended as denied: the broker refused it: not authorised (0x87)")

    assert found["title"] == "signal-gateway: denied, source barred"
    assert all(f" for {base}-USDT ended as denied" in found["message"] for base in BASES[:5])


def test_an_exit_that_nobody_hears_is_told_and_an_entry_is_not(told, receiver):
    deployment = told({"quiet": {"ttl": {"open": "1s", "reduce": "1s"}}}, external=False)
    _, entry = deployment.post("quiet", alert("ETH"))
    _, exit_ = deployment.post("quiet", alert(**EXIT))
    found = one_about(receiver, "an exit of quiet for BTC-USDT ended as unheard")
    until(lambda: deployment.metric("signal_gateway_outcomes_total", station="unheard") == 2)

    assert found["title"] == "signal-gateway: exit expired, quiet/BTC-USDT"
    assert found["type"] == "failure"
    assert f"signal {exit_['id']}" in found["message"]
    assert entry["id"] not in str(receiver.received)


def test_what_a_bot_does_not_answer_is_told_an_exit_as_the_loss_that_it_is(told, receiver):
    deployment = told({"tv": {"ttl": {"open": "4s", "reduce": "4s"}, "bots": ["bot-a"]}})
    bot = deployment.start_bot("bot-a")
    bot.process.kill()
    bot.process.wait()
    deployment.post("tv", alert("ETH"))
    deployment.post("tv", alert(**EXIT))

    one_about(receiver, "bot bot-a sent no receipt for an entry of tv for ETH-USDT until it expired")
    one_about(receiver, "an exit of tv for BTC-USDT was not answered by bot-a")


def test_what_a_bot_fails_on_refuses_or_is_killed_in_is_told(told, receiver):
    deployment = told({"tv": {}, "paper": {"mode": "paper"}}, external=False)
    bot = deployment.start_bot("bot-a", FAIL_KEY="tv/ETH-USDT", SLOW_KEY="tv/BTC-USDT")
    deployment.post("paper", alert())
    deployment.post("tv", alert("ETH"))
    deployment.post("tv", alert("BTC"))
    until(lambda: len(bot.handled()) == 2)
    until(lambda: deployment.metric("signal_gateway_receipts_total", stage="failed") == 1)
    bot.process.kill()
    bot.process.wait()
    again: Bot = deployment.spawn_bot("bot-a")
    until(again.listening)

    one_about(receiver, "handler act of bot bot-a failed on an entry of tv for ETH-USDT: ValueError: no such market")
    one_about(receiver, "bot bot-a refused an entry of paper for BTC-USDT")
    one_about(receiver, "handler act of bot bot-a was interrupted, and does not run again, on an entry of tv")


@pytest.mark.more
def test_what_a_bot_says_itself_is_told_and_that_it_died_and_came_back(told, receiver):
    deployment = told({"tv": {}}, external=False, notify={"group_for": "1s"})
    deployment.add_bot("bot-a")
    bot = start_paper_bot(deployment, "bot-a")
    until(lambda: deployment.api("bots/bot-a")["alive"])
    deployment.post("tv", alert("BTC"))
    one_about(receiver, "BTC-USDT at")
    bot.kill()
    bot.wait()
    one_about(receiver, "bot bot-a is dead")
    again = start_paper_bot(deployment, "bot-a")
    one_about(receiver, "bot bot-a is back")
    again.terminate()
    assert again.wait(timeout=30) == 0


def start_paper_bot(deployment: Deployment, name: str) -> subprocess.Popen[bytes]:
    return spawn(
        [sys.executable, str(ROOT / "examples" / "paper_bot.py")],
        log=deployment.folder / f"{name}.log",
        PYTHONPATH=str(ROOT),
        SIGNAL_GATEWAY_ENV_FILE=str(deployment.folder / f"{name}.env"),
        SIGNAL_GATEWAY_STATE_DIR=str(deployment.folder / f"{name}.state"),
    )


def test_a_source_that_falls_silent_is_told_and_that_it_is_heard_again(told, receiver):
    deployment = told({"tv": {"expect_every": "2s"}}, external=False)
    one_about(receiver, "no signal of source tv was accepted for")
    deployment.post("tv", alert())
    found = one_about(receiver, "source tv is heard again")

    assert found["type"] == "success"


def test_a_broker_that_is_away_is_told_and_that_it_is_back(told, receiver):
    deployment = told({"tv": {}})
    deployment.mosquitto.stop()
    away = one_about(receiver, "the broker is away for")
    deployment.mosquitto.start()
    back = one_about(receiver, "the broker is back, after")

    assert (away["type"], back["type"]) == ("failure", "success")


def test_a_full_disk_is_told_and_that_there_is_room_again(told, receiver):
    deployment = told({"tv": {}}, external=False)
    unlimited = resource.prlimit(deployment.gateway_pid, resource.RLIMIT_FSIZE)
    resource.prlimit(deployment.gateway_pid, resource.RLIMIT_FSIZE, (4096, unlimited[1]))
    assert deployment.post("tv", alert())[0] == 503
    full = one_about(receiver, "no signal can be stored: ")
    resource.prlimit(deployment.gateway_pid, resource.RLIMIT_FSIZE, unlimited)
    room = one_about(receiver, "signals can be stored again")

    assert full["title"] == "signal-gateway: journal unwritable"
    assert (full["type"], room["type"]) == ("failure", "success")
    assert deployment.post("tv", alert())[0] == 202


def latencies(deployment: Deployment, count: int) -> list[float]:
    """How long webhooks take, in seconds, sorted; every other alert is refused, and so is a problem."""
    taken = []
    for number in range(count):
        body, status = (BAD, 422) if number % 2 else (alert(BASES[number % 10]), 202)
        began = time.perf_counter()
        assert deployment.post("tv", body)[0] == status
        taken.append(time.perf_counter() - began)
    return sorted(taken)


def memory(pid: int) -> int:
    """A process's resident memory in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def test_a_receiver_that_never_answers_slows_no_webhook_and_takes_no_memory(told, receiver):
    notify = {"targets": [f"{receiver.url}?rto=60"] * 3, "group_for": "0s", "repeat_every": "0s", "limit": "3600"}
    deployment = told({"tv": {}}, external=False, notify=notify)
    latencies(deployment, 100)
    usual = min(latencies(deployment, 300)[150], latencies(deployment, 300)[150])
    receiver.hangs = True
    deployment.post("tv", BAD)
    until(lambda: deployment.metric("signal_gateway_notifications_total", outcome="sent") > 0)
    hanging = len(receiver.received)
    before = memory(deployment.gateway_pid)
    slowed = min(latencies(deployment, 300)[150], latencies(deployment, 300)[150])
    latencies(deployment, 1000)
    grown = memory(deployment.gateway_pid) - before

    assert len(receiver.received) <= hanging + 3
    assert slowed < 2 * usual + 0.005, f"a webhook took {usual * 1e3:.1f} ms, and {slowed * 1e3:.1f} ms"
    assert grown < 30_000_000
    assert deployment.stop_gateway() == 0


def test_no_log_repeats_a_targets_url_however_much_is_logged(deploy, receiver):
    secret = "hunter2hunter2"
    target = f"json://user:{secret}@127.0.0.1:{receiver.port}/{secret}"
    settings = {"notify": {"targets": [target], "group_for": "0s"}, "log": {"format": "json", "level": "debug"}}
    deployment = deploy(sources={"tv": {}}, external=False, settings=settings)
    receiver.status = 403
    deployment.post("tv", BAD)
    until(lambda: deployment.metric("signal_gateway_notifications_total", outcome="retried") == 1)
    deployment.stop_gateway()
    log = (deployment.folder / "gateway.log").read_text()

    assert receiver.received[0]["path"].startswith(f"/{secret}")
    assert "it answered 403 Forbidden" in log
    assert secret not in log
