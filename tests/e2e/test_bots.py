"""The gateway knows its bots: whose clock is off, and which of them are gone for good."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import suppress
from uuid import uuid4

import pytest

from gateway.mqtt import GmqttLink, LinkSettings
from gateway.mqtt.model import Version
from schemas.fields import instant
from tests.e2e.deployment import until
from tests.e2e.test_alert_to_callback import SOURCES, alert

SOURCE = SOURCES[0]


def lines(deployment, event: str) -> list[dict]:
    """The gateway's log lines of one event."""
    found = []
    for line in (deployment.folder / "gateway.log").read_text().splitlines():
        with suppress(ValueError):
            found += [entry for entry in [json.loads(line)] if entry.get("event") == event]
    return found


def bots(deployment) -> dict[str, dict]:
    """The bots by name, as the API shows them."""
    return {bot["name"]: bot for bot in deployment.api("bots")["bots"]}


def receipts(deployment, id_: str, bot: str) -> list[dict]:
    """What a bot said of a signal."""
    return [receipt for receipt in deployment.api(f"signals/{id_}")["receipts"] if receipt["bot"] == bot]


@pytest.mark.parametrize(("ahead", "side"), [(45, "ahead of"), (-45, "behind")])
def test_a_clock_that_is_45_s_off_is_named_everywhere_and_every_signal_is_handled_in_time_or_says_why_not(
    deploy, external, ahead, side
):
    deployment = deploy(sources={SOURCE: {}}, external=external)
    right = deployment.start_bot("right")
    wrong = deployment.start_bot("wrong", CLOCK_AHEAD=str(ahead))
    ids = [deployment.post(SOURCE, alert())[1]["id"] for _ in range(20)]
    until(lambda: all(receipts(deployment, id_, "wrong") and receipts(deployment, id_, "right") for id_ in ids))

    (line,) = lines(deployment, "bot_clock_off")
    assert line["bot"] == "wrong"
    assert f"s {side} the gateway's" in line["problem"]
    assert "NTP" in line["remedy"]
    shown = bots(deployment)
    assert shown["wrong"]["clock"]["offset_seconds"] == pytest.approx(ahead, abs=1)
    assert shown["wrong"]["clock"]["problem"] == f"clock is {_seconds(shown)} s {side} the gateway's"
    assert shown["right"]["clock"]["problem"] is None
    assert deployment.metric("signal_gateway_bot_clock_offset_seconds", bot="wrong") == pytest.approx(ahead, abs=1)
    assert deployment.metric("signal_gateway_bot_clock_offset_seconds", bot="right") == pytest.approx(0, abs=1)
    listed = {bot["name"]: bot for bot in deployment.cli("bots", "list", "--json")["bots"]}
    assert side in listed["wrong"]["clock"]["problem"]

    assert {entry["id"] for entry in right.handled()} == set(ids)
    handled = {entry["id"]: entry["at"] for entry in wrong.handled()}
    for id_ in ids:
        last = receipts(deployment, id_, "wrong")[-1]
        if id_ in handled:
            expiry = instant(deployment.api(f"signals/{id_}")["expires_at"]).timestamp()
            assert handled[id_] / 1e9 < expiry
            assert last["stage"] in {"handled", "received", "started"}
        else:
            assert last["stage"] in {"refused", "expired"}
            assert last["reason"].count(f"s {side} the gateway's") == 1
    assert (len(handled) == len(ids)) == (ahead > 0)


def _seconds(shown: dict[str, dict]) -> str:
    return f"{abs(shown['wrong']['clock']['offset_seconds']):.1f}"


def stop_one_and_kill_one(deployment) -> None:
    """Let two bots come, one of them say goodbye, and the other one die."""
    stops, dies = deployment.start_bot("stops"), deployment.start_bot("dies")
    until(lambda: all(bots(deployment)[name]["last_seen_by"] == "heartbeat" for name in ("stops", "dies")))
    stops.process.send_signal(signal.SIGINT)
    dies.process.kill()
    until(lambda: bots(deployment)["stops"]["state"] == "left")
    until(lambda: bots(deployment)["dies"]["state"] == "dead")


def test_a_bot_that_is_stopped_left_and_one_that_is_killed_is_dead_at_once(deploy, external):
    deployment = deploy(sources={SOURCE: {}}, external=external)
    stop_one_and_kill_one(deployment)
    assert {name: bots(deployment)[name]["profile"] for name in ("stops", "dies")} == {
        "stops": "plugin",
        "dies": "plugin",
    }
    assert lines(deployment, "bot_dead") == []
    deployment.spawn_bot("dies")
    until(lambda: bots(deployment)["dies"]["alive"])
    assert lines(deployment, "bot_back") == []


@pytest.mark.more
def test_a_bot_that_was_killed_is_told_dead_once_when_it_does_not_come_back_and_then_that_it_did(deploy, external):
    deployment = deploy(sources={SOURCE: {}}, external=external)
    stop_one_and_kill_one(deployment)
    until(lambda: lines(deployment, "bot_dead"), within=35)
    deployment.spawn_bot("dies")
    until(lambda: lines(deployment, "bot_back"))
    assert [line["bot"] for line in lines(deployment, "bot_dead") + lines(deployment, "bot_back")] == ["dies", "dies"]


async def retained(deployment, topic: str) -> list[bytes]:
    """What the broker has retained on a topic, asked with the gateway's own login."""
    password = (deployment.data / "secrets" / "gateway-broker.password").read_text().strip()
    settings = LinkSettings(
        host="127.0.0.1",
        port=deployment.broker_port,
        client_id=f"a-test-that-looks-{uuid4()}",
        username="gateway",
        password=password,
        version=Version.V5 if deployment.mosquitto else Version.V311,
    )
    link, seen = GmqttLink(settings), []

    async def take(_: str, payload: bytes) -> None:
        seen.append(payload)

    running = asyncio.create_task(link.run())
    await link.wait_connected()
    await link.subscribe(topic, take)
    await asyncio.sleep(0.5)  # nothing tells that nothing comes
    running.cancel()
    await asyncio.wait({running})
    return seen


def test_a_bot_that_is_removed_is_forgotten_with_its_card_and_no_signal_waits_for_it(deploy, external):
    deployment = deploy(sources={SOURCE: {}}, external=external)
    deployment.start_bot("stays")
    gone = deployment.start_bot("gone")
    until(lambda: bots(deployment)["gone"]["online"])
    if external:
        gone.process.terminate()
        until(lambda: not bots(deployment)["gone"]["online"])
    assert asyncio.run(retained(deployment, "signals/v1/bot/gone"))

    removed = deployment.cli("bots", "remove", "gone", "--json")

    assert removed == {"removed": "gone", "forgotten": True, "left": []}
    assert set(bots(deployment)) == {"demo", "stays"}
    assert asyncio.run(retained(deployment, "signals/v1/bot/gone")) == []
    assert lines(deployment, "audit")[-1]["target"] == "gone"
    _, answer = deployment.post(SOURCE, alert())

    def stations() -> set[str]:
        return {one["station"] for one in deployment.api(f"signals/{answer['id']}")["deliveries"]}

    until(lambda: stations() == {"receipted"})
    deployment.stop_gateway()
    deployment.start_gateway()
    assert "gone" not in bots(deployment)
