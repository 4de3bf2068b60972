"""Remote commands over a real Mosquitto: killed bots, forged messages, and a broker that does not let a bot reply."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import PluginSettings, RemoteCommands, SignalListener
from bot_plugin.commands import Outcome
from bot_plugin.reconnecting import MqttLink
from bot_plugin.transport import LinkSettings, Message
from schemas.rpc import Reply, Request, read_reply, write_request
from schemas.signature import CommandKey, Signed, sign
from tests.integration.bot_plugin.rig import Mosquitto, connected, eventually, task

BOT = Path(__file__).with_name("commanded_bot.py")
KEY = CommandKey(kid="main", secret=b"m" * 32)


class Desk:
    """A third party that commands bots, honestly or not."""

    def __init__(self, port: int) -> None:
        self.messages: list[Message] = []
        self.numbers = itertools.count()
        self.link = MqttLink(
            LinkSettings(
                host="127.0.0.1", port=port, client_id="desk", clean=True, filters=("signals/v1/reply/+/desk/+",)
            )
        )

    async def receive(self, message: Message) -> None:
        self.messages.append(message)

    async def send(self, name: str, payload: bytes, *, bot: str = "demo", retain: bool = False) -> int:
        await eventually(lambda: self.link.free)
        return await self.link.publish(f"hbot/{bot}/{name}", payload, retain=retain)

    async def call(
        self, name: str, data: dict[str, Any] | None = None, *, bot: str = "demo", within: float = 20, **header: Any
    ) -> Reply:
        """Command a bot and wait for the reply; sent again while nobody listens."""
        header.setdefault("reply_to", f"signals/v1/reply/{bot}/desk/{next(self.numbers)}")
        payload = write_request(Request(data=data or {}, **header))
        before = len(self.replies(header["reply_to"]))
        async with asyncio.timeout(within):
            while await self.send(name, payload, bot=bot) == 0x10:
                await asyncio.sleep(0.02)
        await eventually(lambda: len(self.replies(header["reply_to"])) > before, within=within)
        return read_reply(self.replies(header["reply_to"])[-1])

    def replies(self, topic: str) -> list[bytes]:
        return [message.payload for message in self.messages if message.topic == topic]


@pytest.fixture
async def desk(broker: Mosquitto) -> AsyncIterator[Desk]:
    desk = Desk(broker.port)
    async with task(desk.link.run(desk.receive, lambda: None)):
        await eventually(lambda: desk.link.connected)
        yield desk


class Process:
    """The bot in a process of its own, which is killed."""

    def __init__(self, folder: Path, port: int) -> None:
        self.record = folder / "record.jsonl"
        self.record.touch()
        self._log = folder / "bot.log"
        self._environment = {
            **os.environ,
            "SIGNAL_GATEWAY_BOT": "demo",
            "SIGNAL_GATEWAY_MQTT_PORT": str(port),
            "SIGNAL_GATEWAY_MQTT_HOST": "127.0.0.1",
            "SIGNAL_GATEWAY_STATE_DIR": str(folder / "state"),
            "PYTHONPATH": str(BOT.parents[3]),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = [sys.executable, str(BOT), str(self.record)]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def lines(self) -> list[list[str]]:
        return [json.loads(line) for line in self.record.read_text().splitlines()]


@pytest.fixture
def process(tmp_path: Path, broker: Mosquitto) -> Iterator[Process]:
    process = Process(tmp_path, broker.port)
    process.start()
    yield process
    process.kill()


async def test_a_repeat_after_a_kill_gets_the_first_reply_and_nothing_runs_twice(process: Process, desk: Desk) -> None:
    first = await desk.call("start", {"script": "a.py"}, msg_id="m1", reply_to="signals/v1/reply/demo/desk/a")
    process.kill()
    process.start()
    again = await desk.call("start", {"script": "a.py"}, msg_id="m1", reply_to="signals/v1/reply/demo/desk/b")

    assert (first.status, first.msg, again) == (200, "started", first)
    assert desk.replies("signals/v1/reply/demo/desk/a")[0] == desk.replies("signals/v1/reply/demo/desk/b")[0]
    assert process.lines() == [["begin", "start"], ["end", "start"]]


async def test_a_command_that_a_kill_cut_short_is_not_run_again_and_others_are(process: Process, desk: Desk) -> None:
    await desk.call("stop")
    await desk.send(
        "start",
        write_request(Request(data={"script": "slow.py"}, msg_id="m1", reply_to="signals/v1/reply/demo/desk/slow")),
    )
    await eventually(lambda: ["begin", "start"] in process.lines())
    process.kill()
    process.start()
    again = await desk.call("start", {"script": "slow.py"}, msg_id="m1")
    other = await desk.call("start", {"script": "b.py"}, msg_id="m2")

    assert (again.status, other.status) == (400, 200)
    assert again.msg == "interrupted: start was begun, and the bot ended; what it had done by then is not known"
    assert process.lines().count(["begin", "start"]) == 2
    assert desk.replies("signals/v1/reply/demo/desk/slow") == []


async def test_a_command_that_comes_while_the_bot_is_away_is_not_run_when_it_is_back(
    process: Process, desk: Desk
) -> None:
    await desk.call("stop")
    process.kill()
    reason = await desk.send("start", write_request(Request(reply_to="signals/v1/reply/demo/desk/away")))
    process.start()
    await desk.call("stop")

    assert reason == 0x10
    assert process.lines() == [["begin", "stop"]] * 2


class Trap:
    """A bot in this process that remembers what it was told to do."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    async def stop(self, request: Any) -> None:
        self.ran.append("stop")

    async def status(self, request: Any) -> str:
        self.ran.append("status")
        return "well"


@pytest.fixture
def serve(broker: Mosquitto, tmp_path: Path) -> Callable[..., tuple[SignalListener, RemoteCommands, Trap]]:
    def serve(bot: str = "demo", **settings: Any) -> tuple[SignalListener, RemoteCommands, Trap]:
        trap = Trap()
        commands = RemoteCommands(trap)
        given = {"host": "127.0.0.1", "port": broker.port, "grace": 0.2, "state_dir": str(tmp_path / bot), **settings}
        listener = SignalListener(PluginSettings(bot=bot, **given))
        listener.serve(commands)
        return listener, commands, trap

    return serve


def now() -> int:
    return time.time_ns() // 1_000


async def test_a_command_found_after_its_deadline_is_not_run_and_said(
    serve: Any, desk: Desk, caplog: pytest.LogCaptureFixture, version: str
) -> None:
    listener, commands, trap = serve(mqtt_version=version)
    async with connected(listener):
        reply = await desk.call("stop", deadline=now() - 1_000_000)

    assert (reply.status, trap.ran) == (400, [])
    assert "not run: its deadline is over since 1." in reply.msg
    assert commands.counts == {Outcome.LATE: 1}
    assert "command 'stop' of '' (msg_id '')" in caplog.text
    assert ": late: not run: its deadline is over since 1." in caplog.text


async def test_a_signed_status_replayed_on_stop_is_refused(
    serve: Any, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    listener, commands, trap = serve(command_keys={"main": KEY.secret})
    reply_to = "signals/v1/reply/demo/desk/signed"
    signed = Signed(topic="hbot/demo/status", msg_id="m1", deadline=now() + 60_000_000, reply_to=reply_to, data={})
    signature = sign(signed, KEY)
    async with connected(listener):
        first = await desk.call("status", reply_to=reply_to, signature=signature)
        replayed = await desk.call("stop", reply_to=reply_to, signature=signature)
        repeated = await desk.call("status", reply_to=reply_to, signature=signature, sender="somebody else")
        unsigned = await desk.call("stop")

    assert (first.status, first.msg, trap.ran) == (200, "well", ["status"])
    assert replayed.status == unsigned.status == 400
    assert replayed.msg == "the signature is for 'hbot/demo/status', not for 'hbot/demo/stop'"
    assert repeated == first
    assert commands.counts == {Outcome.DONE: 1, Outcome.SIGNATURE: 2, Outcome.REPEATED: 1}
    assert "signature: the signature is for 'hbot/demo/status', not for 'hbot/demo/stop'" in caplog.text


@pytest.mark.parametrize("header", [{"reply_to": "hbot/other/stop"}, {"reply_to": ""}, {}])
async def test_a_reply_topic_that_is_another_bots_stop_is_refused_and_not_run(
    serve: Any, desk: Desk, caplog: pytest.LogCaptureFixture, header: dict[str, str]
) -> None:
    listener, commands, trap = serve()
    other, others, another = serve("other")
    async with connected(listener), connected(other):
        await desk.call("status")
        await desk.call("status", bot="other")
        await desk.send("stop", json.dumps({"header": header, "data": {}}).encode())
        await eventually(lambda: commands.counts.get(Outcome.REPLY_TO))
        await desk.call("status", bot="other")

    assert (trap.ran, another.ran) == (["status"], ["status", "status"])
    assert commands.counts == {Outcome.DONE: 1, Outcome.REPLY_TO: 1}
    assert others.counts == {Outcome.DONE: 2}
    assert f"reply_to: reply_to is {header.get('reply_to', '')!r}" in caplog.text


async def test_a_retained_command_is_run_once_while_the_bot_is_there_and_not_when_it_comes_back(
    serve: Any, desk: Desk
) -> None:
    listener, commands, trap = serve()
    payload = write_request(Request(reply_to="signals/v1/reply/demo/desk/r", msg_id="m1"))
    async with connected(listener):
        await desk.call("status")
        await desk.send("stop", payload, retain=True)
        await eventually(lambda: "stop" in trap.ran)
    listener, commands, trap = serve()
    async with connected(listener):
        await desk.call("status")
        await eventually(lambda: Outcome.RETAINED in commands.counts)

    assert trap.ran == ["status"]
    assert len(desk.replies("signals/v1/reply/demo/desk/r")) == 1


async def test_a_broker_that_lets_a_bot_neither_hear_commands_nor_reply_does_not_end_it(
    make_broker: Callable[..., Mosquitto], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    acl = tmp_path / "acl"
    acl.write_text(
        "topic readwrite signals/v1/bot/demo\n"
        "topic read signals/v1/reply/#\n"
        "topic read hbot/demo/status\n"
        "topic write hbot/#\n"
    )
    broker = make_broker(f"acl_file {acl}\n" + ("user root\n" if os.geteuid() == 0 else ""))
    trap = Trap()
    listener = SignalListener(
        PluginSettings(bot="demo", host="127.0.0.1", port=broker.port, grace=0.2, state_dir=str(tmp_path / "demo"))
    )
    listener.serve(RemoteCommands(trap))
    desk = Desk(broker.port)
    async with task(desk.link.run(desk.receive, lambda: None)), connected(listener) as run:
        await eventually(lambda: desk.link.connected)
        payload = write_request(Request(reply_to="signals/v1/reply/demo/desk/1"))
        while await desk.send("status", payload) == 0x10:
            await asyncio.sleep(0.02)
        await eventually(lambda: "the broker refuses a reply on signals/v1/reply/demo/desk/1" in caplog.text)

        assert not run.done()

    assert trap.ran == ["status"]
