"""A bot's telemetry over Mosquitto, as another program's client hears it: in storms, through outages, and over TLS."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import PluginSettings, Signal, SignalListener
from schemas.telemetry import LogLine, read
from tests.brokers import Proxy, require
from tests.certificates import Authority, Signed
from tests.integration.bot_plugin.rig import Gateway, Mosquitto, connected, eventually, task

LINES, THREADS = 50_000, 4


class Heard:
    """What mosquitto_sub hears of all topics of the bots."""

    def __init__(self, port: int, *options: str) -> None:
        program = require("mosquitto_sub", package="mosquitto-clients")
        command = [program, "-h", "127.0.0.1", "-p", str(port), "-t", "hbot/#", "-F", "%t\t%q %r\t%p", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._lines: list[tuple[str, str, str]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            topic, how, payload = line.rstrip("\n").split("\t", 2)
            self._lines.append((topic, how, payload))

    def on(self, channel: str, *, bot: str = "demo") -> list[dict[str, Any]]:
        """The documents of one channel."""
        return [json.loads(payload) for topic, _, payload in list(self._lines) if topic == f"hbot/{bot}/{channel}"]

    def hows(self) -> set[str]:
        """QoS and retained flag of all that was heard."""
        return {how for _, how, _ in self._lines}

    def lines(self) -> list[LogLine]:
        """The log lines."""
        found = [read("log", json.dumps(document).encode()) for document in self.on("log")]
        return [line for line in found if isinstance(line, LogLine)]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._reader.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
async def heard(broker: Mosquitto) -> AsyncIterator[Heard]:
    async with hearing(broker.port) as heard:
        yield heard


@contextlib.asynccontextmanager
async def hearing(port: int, *options: str) -> AsyncIterator[Heard]:
    """A subscriber of another program's, once it is known to hear."""
    heard = Heard(port, *options)
    publish = [require("mosquitto_pub", package="mosquitto-clients"), "-h", "127.0.0.1", "-p", str(port), *options]
    try:
        for _ in range(50):
            await asyncio.to_thread(subprocess.run, [*publish, "-t", "hbot/probe/hb", "-m", "{}"], check=True)
            with contextlib.suppress(TimeoutError):
                await eventually(lambda: heard.on("hb", bot="probe"), within=0.2)
                break
        else:
            pytest.fail("mosquitto_sub hears nothing")
        yield heard
    finally:
        await asyncio.to_thread(heard.close)


@contextlib.contextmanager
def forwarding(listener: SignalListener, name: str = "strategy") -> Any:
    """A logger of the strategy's, and only that, forwarded."""
    logger, handler = logging.getLogger(name), listener.telemetry.log_handler()
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
        logger.setLevel(logging.NOTSET)


def lost(lines: list[LogLine]) -> int:
    """How many log lines the lines say were dropped."""
    news = [re.match(r"([\d,]+) log lines? w", line.msg) for line in lines if line.logger == "bot_plugin.telemetry"]
    return sum(int(one[1].replace(",", "")) for one in news if one is not None)


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_another_programs_client_hears_that_the_bot_lives_and_goes(
    heard: Heard, make_listener: Callable[..., SignalListener], version: str
) -> None:
    async with connected(make_listener(mqtt_version=version)):
        await eventually(lambda: heard.on("hb"))
    await eventually(lambda: len(heard.on("status_updates")) == 2)

    [beat] = heard.on("hb")
    assert abs(beat["ts"] / 1e6 - time.time()) < 10
    assert [(update["type"], update["msg"]) for update in heard.on("status_updates")] == [
        ("availability", "online"),
        ("availability", "offline"),
    ]
    assert heard.hows() == {"0 0"}


async def test_every_channel_arrives(heard: Heard, make_listener: Callable[..., SignalListener]) -> None:
    listener = make_listener()
    async with connected(listener):
        with forwarding(listener) as logger:
            logger.warning("look %s", "here")
        listener.telemetry.notify("bought")
        listener.telemetry.event("OrderFilled", {"order_id": "x"})
        listener.telemetry.performance({"one": {"performance": {"net_pnl_quote": 1.5}}})
        await eventually(lambda: all(heard.on(channel) for channel in ("log", "notify", "events", "performance")))

    assert heard.lines()[0].msg == "look here"
    assert heard.on("notify")[0]["msg"] == "bought"
    assert heard.on("events")[0]["data"] == {"order_id": "x"}
    assert heard.on("performance") == [{"one": {"performance": {"net_pnl_quote": 1.5}}}]


async def test_a_log_storm_blocks_nobody_and_says_what_it_lost(
    heard: Heard, gateway: Gateway, make_listener: Callable[..., SignalListener]
) -> None:
    listener = make_listener()

    @listener.on_trade("btc")
    async def act(signal: Signal) -> None:
        pass

    slowest = [0.0] * THREADS

    def storm(number: int) -> None:
        for line in range(LINES // THREADS):
            began = time.monotonic()
            logger.info("thread %d line %d", number, line)
            slowest[number] = max(slowest[number], time.monotonic() - began)

    async with connected(listener):
        await gateway.settled(await gateway.send(listener, source="btc"))  # what a first signal needs is in memory
        before = resident()
        with forwarding(listener) as logger:
            threads = [threading.Thread(target=storm, args=[number]) for number in range(THREADS)]
            for thread in threads:
                thread.start()
            most, signals = 0, 0
            while any(thread.is_alive() for thread in threads):
                most = max(most, len(listener.telemetry._outbox))
                began = time.monotonic()
                await gateway.settled(await gateway.send(listener, source="btc"))
                assert time.monotonic() - began < 2
                signals += 1
        grown = resident() - before
        await eventually(lambda: lost(lines := heard.lines()) + len(lines) >= LINES, within=20)

    lines = heard.lines()
    own = [line for line in lines if line.logger == "bot_plugin.telemetry"]
    assert len(lines) - len(own) + lost(lines) == LINES
    assert len(own) < 60
    assert most <= 1_000
    assert signals > 3
    assert grown < 40_000_000
    assert max(slowest) < 1


def ended(caplog: pytest.LogCaptureFixture) -> str:
    """What is said of connections that ended."""
    return " ".join(record.getMessage() for record in caplog.records if " ended: " in record.getMessage())


@pytest.fixture
async def proxy(broker: Mosquitto) -> AsyncIterator[Proxy]:
    proxy = Proxy(broker.port)
    await proxy.start()
    yield proxy
    await proxy.stop()


async def test_what_an_outage_cost_is_said_first_after_it(
    heard: Heard,
    proxy: Proxy,
    make_listener: Callable[..., SignalListener],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="bot_plugin.link")
    listener = make_listener(port=proxy.port)
    async with connected(listener):
        await eventually(lambda: heard.on("hb"))
        proxy.cut()
        await eventually(lambda: "signals.demo.cmd" in ended(caplog))
        with forwarding(listener) as logger:
            for number in range(1_500):
                logger.info("line %d", number)
        for number in range(1_100):
            listener.telemetry.event("OrderFilled", {"number": number})
            listener.telemetry.performance({"one": {"number": number}})
        listener.telemetry.notify("while you were away")
        assert len(listener.telemetry._outbox) == 1_000 + 1_000 + 1 + 1
        proxy.restore()
        await eventually(heard.lines, within=20)
        await eventually(lambda: len(heard.on("events")) == 1_000, within=20)

    assert [update["msg"] for update in heard.on("status_updates")] == ["online", "online", "offline"]
    assert heard.lines()[0].msg.startswith("500 log lines and 100 events were dropped")
    assert heard.lines()[1].msg == "line 500"
    assert [event["data"]["number"] for event in heard.on("events")] == list(range(100, 1_100))
    assert [one["msg"] for one in heard.on("notify")] == ["while you were away"]
    assert heard.on("performance") == [{"one": {"number": 1_099}}]


def tls(authority: Authority, *options: str) -> str:
    server = authority.sign("localhost")
    files = (f"cafile {authority.ca}", f"certfile {server.cert}", f"keyfile {server.key}")
    reader = ("user root",) if os.geteuid() == 0 else ()  # it would become a user who may not read pytest's folders
    return "\n".join([*files, *options, *reader]) + "\n"


@pytest.fixture(scope="module")
def demo(authority: Authority) -> Signed:
    return authority.sign("demo")


async def test_over_tls_with_a_certificate_of_its_own_the_bot_is_let_in(
    authority: Authority, demo: Signed, make_broker: Callable[[str], Mosquitto], tmp_path: Path
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("user demo\ntopic readwrite #\n")
    options = ("require_certificate true", "use_identity_as_username true", f"acl_file {acl}")
    broker = make_broker(tls(authority, *options))
    given = {"tls": True, "ca": authority.ca, "cert": demo.cert, "key": demo.key, "port": broker.port}
    listener = SignalListener(PluginSettings(bot="demo", host="127.0.0.1", state_dir=str(tmp_path), grace=0.2, **given))
    as_demo = ("--cafile", authority.ca, "--cert", demo.cert, "--key", demo.key)
    async with hearing(broker.port, *as_demo) as heard, connected(listener):
        await eventually(lambda: heard.on("hb"))


WITHOUT = {
    "certificate": "it asks for a certificate of this client's own (cert, key)",
    "trust": "certificate verify failed",
}


@pytest.mark.parametrize("lacking", WITHOUT)
async def test_without_a_certificate_or_without_trust_there_is_no_connection_and_the_log_says_why(
    lacking: str,
    authority: Authority,
    make_broker: Callable[[str], Mosquitto],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="bot_plugin.link")
    broker = make_broker(tls(authority, "require_certificate true"))
    ca = authority.ca if lacking == "certificate" else Authority(tmp_path, name="other").ca
    folder = str(tmp_path)
    listener = SignalListener(
        PluginSettings(bot="demo", host="127.0.0.1", port=broker.port, tls=True, ca=ca, state_dir=folder)
    )
    async with task(listener.run()):
        await eventually(lambda: WITHOUT[lacking] in caplog.text)
        await eventually(lambda: caplog.text.count("signals.demo.probe") > 1)

    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    said = [record.getMessage() for record in warnings if record.name == "bot_plugin.link"]
    assert said[-1].startswith(f"bot demo cannot connect to the broker at 127.0.0.1:{broker.port} (")
    assert WITHOUT[lacking] in said[-1]
    assert len(set(said)) == len(said)
    assert not listener._up.is_set()
