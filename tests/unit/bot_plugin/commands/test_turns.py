"""When a command is run: in order or beside others, within its deadline and limit, never after the bot's end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from bot_plugin import PluginSettings, RemoteCommands
from bot_plugin.commands import turns
from bot_plugin.testing import running
from schemas.rpc import Request, write_request
from tests.brokers import eventually
from tests.unit.bot_plugin.clock import Clock
from tests.unit.bot_plugin.commands.serving import REPLY, Counting, counted, publish, sent, serving


class Held:
    """A target whose commands wait for their gates, and which remembers the order of their beginnings."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.gates = {name: asyncio.Event() for name in ("start", "stop", "status", "history", "balance")}

    async def _hold(self, name: str) -> str:
        self.begun.append(name)
        await self.gates[name].wait()
        return name

    async def start(self, request: Any) -> str:
        return await self._hold("start")

    async def stop(self, request: Any) -> str:
        return await self._hold("stop")

    async def status(self, request: Any) -> str:
        return await self._hold("status")

    async def history(self, request: Any) -> str:
        return await self._hold("history")

    async def balance(self, request: Any) -> str:
        return await self._hold("balance")


async def test_what_changes_something_runs_one_at_a_time_in_order_and_what_tells_beside_it() -> None:
    bot = Held()
    commands = RemoteCommands(bot)
    commands.handles("beside", ordered=False)(lambda data: bot.begun.append("beside"))
    commands.handles("behind")(lambda data: bot.begun.append("behind"))
    async with running(serving(commands)) as rig:
        calls = {}
        for name in ("start", "status", "stop", "command/behind", "history", "command/beside", "balance"):
            calls[name] = asyncio.ensure_future(rig.command(name))
            await asyncio.sleep(0)
        await eventually(lambda: len(bot.begun) == 5)

        assert sorted(bot.begun) == ["balance", "beside", "history", "start", "status"]
        bot.gates["start"].set()
        await eventually(lambda: "stop" in bot.begun)
        assert "behind" not in bot.begun
        for gate in bot.gates.values():
            gate.set()
        replies = await asyncio.gather(*calls.values())

    assert bot.begun[-2:] == ["stop", "behind"]
    assert [reply.status for reply in replies] == [200] * 7


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    "header",
    [
        {"deadline": -1},
        {"timestamp": -30_000_001},
        {"timestamp": -86_400_000_000},
        {"timestamp": 3_600_000_000, "deadline": -1},
    ],
)
async def test_a_command_found_after_its_deadline_is_not_run(clock: Clock, header: dict[str, int]) -> None:
    bot = Held()
    commands = RemoteCommands(bot)
    async with running(serving(commands, clock=clock)) as rig:
        times = {name: clock() + micros for name, micros in header.items()}
        reply = await rig.command("start", **times)

    assert (reply.status, bot.begun) == (400, [])
    assert reply.msg.startswith("not run: its deadline is over since ")
    assert reply.msg.endswith("when it arrived")
    await counted(commands, late=1)


@pytest.mark.parametrize(
    "header", [{}, {"timestamp": 3_600_000_000}, {"timestamp": -29_000_000}, {"deadline": 1_000_000}]
)
async def test_a_command_within_its_deadline_is_run(clock: Clock, header: dict[str, int]) -> None:
    bot = Held()
    bot.gates["start"].set()
    async with running(serving(RemoteCommands(bot), clock=clock)) as rig:
        times = {name: clock() + micros for name, micros in header.items()}

        assert (await rig.command("start", **times)).status == 200


@pytest.mark.parametrize("how", ["time passes", "the clock is set forward", "time passes and the clock is set back"])
async def test_a_command_whose_deadline_passes_while_it_waits_is_not_run(clock: Clock, how: str) -> None:
    bot = Held()
    commands = RemoteCommands(bot)
    async with running(serving(commands, clock=clock)) as rig:
        first = asyncio.ensure_future(rig.command("start"))
        await eventually(lambda: bot.begun)
        second = asyncio.ensure_future(rig.command("stop", deadline=clock() + 10_000_000))
        third = asyncio.ensure_future(rig.command("status"))
        await eventually(lambda: "status" in bot.begun)  # messages are read in order: the second one waits now
        if how == "the clock is set forward":
            clock.step(11)
        else:
            clock.advance(11)
        if how.endswith("back"):
            clock.step(-3_600)
        for gate in bot.gates.values():
            gate.set()
        replies = await asyncio.gather(first, second, third)

    assert ([reply.status for reply in replies], bot.begun) == ([200, 400, 200], ["start", "status"])
    assert "as it waited for its turn" in replies[1].msg
    await counted(commands, done=2, late=1)


async def test_a_coroutine_that_takes_too_long_is_cancelled_and_answered() -> None:
    cancelled = asyncio.Event()
    commands = RemoteCommands(limits={"command/slow": 0.05})

    @commands.handles("slow")
    async def slow(data: Any) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    async with running(serving(commands)) as rig:
        reply = await rig.command("command/slow")

    assert (reply.status, reply.msg, cancelled.is_set()) == (
        400,
        "it took longer than 0.05 s: command/slow was cancelled; what it has done by then is not known",
        True,
    )
    await counted(commands, timed_out=1)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


async def test_a_thread_that_takes_too_long_is_left_and_stop_does_not_wait_for_it(gate: threading.Event) -> None:
    class Bot:
        def start(self, request: Any) -> None:
            gate.wait(10)

        def stop(self, request: Any) -> str:
            return "stopped"

    commands = RemoteCommands(Bot(), limits={"start": 0.05})
    async with running(serving(commands)) as rig:
        begun = time.monotonic()
        start, stop = await asyncio.gather(rig.command("start"), rig.command("stop"))

    assert (start.status, stop.msg) == (400, "stopped")
    assert "cannot be stopped and goes on" in start.msg
    assert time.monotonic() - begun < 5
    await counted(commands, timed_out=1, done=1)


async def test_a_coroutine_that_does_not_mind_being_cancelled_is_left_too(caplog: pytest.LogCaptureFixture) -> None:
    commands, gate = RemoteCommands(limit=0.02), asyncio.Event()

    @commands.handles("stubborn")
    async def stubborn(data: Any) -> str:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue
        return "at last"

    async with running(serving(commands)) as rig:
        reply = await rig.command("command/stubborn")
        gate.set()
        await eventually(lambda: "which was given up, has ended: done" in caplog.text)

    assert "cannot be stopped and goes on" in reply.msg


async def test_while_many_that_were_given_up_go_on_none_is_begun(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LEFT", 2)
    monkeypatch.setattr("bot_plugin.commands.execution._TO_END", 0.01)
    commands = RemoteCommands(limit=0.01)
    commands.handles("hang")(lambda data: gate.wait(10))
    async with running(serving(commands)) as rig:
        replies = [await rig.command("command/hang") for _ in range(3)]
        gate.set()
        await eventually(lambda: not any(thread.name.startswith("command ") for thread in threading.enumerate()))
        after = await rig.command("command/hang")

    assert [reply.status for reply in replies] == [400] * 3
    assert replies[2].msg == "not run: 2 commands that were given up go on still"
    assert after.status == 200
    await counted(commands, timed_out=2, full=1, done=1)


async def test_more_commands_than_may_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WAITING", 3)
    monkeypatch.setattr(turns, "BESIDE", 2)
    bot = Held()
    commands = RemoteCommands(bot)
    async with running(serving(commands)) as rig:
        for name, number in (("start", 6), ("status", 3)):
            for call in range(number):
                await publish(rig, name, write_request(Request(reply_to=f"{REPLY}{name}{call}")))
                await asyncio.sleep(0.01)
        await counted(commands, full=3)
        for gate in bot.gates.values():
            gate.set()
        await counted(commands, full=3, done=6)

    assert b"too many commands wait" in sent(rig.broker, f"{REPLY}start5")[0]
    assert b"too many commands wait" in sent(rig.broker, f"{REPLY}status2")[0]


async def test_when_the_bot_stops_what_runs_may_end_and_what_waits_is_answered() -> None:
    bot = Held()
    commands = RemoteCommands(bot)
    async with running(serving(commands, PluginSettings(bot="demo", grace=5))) as rig:
        for name in ("start", "stop"):
            await publish(rig, name, write_request(Request(reply_to=f"{REPLY}{name}")))
        await eventually(lambda: bot.begun)
        rig.listener.stop()
        asyncio.get_running_loop().call_later(0.05, bot.gates["start"].set)

    assert b'"status":200' in sent(rig.broker, f"{REPLY}start")[0]
    assert b"not run: the bot is stopping" in sent(rig.broker, f"{REPLY}stop")[0]
    await counted(commands, done=1, stopping=1)


async def test_what_does_not_end_in_the_grace_is_interrupted_and_not_run_again() -> None:
    bot = Held()
    commands = RemoteCommands(bot)
    listener = serving(commands, PluginSettings(bot="demo", grace=0.02))
    async with running(listener) as rig:
        await publish(rig, "start", write_request(Request(msg_id="m1", reply_to=REPLY)))
        await eventually(lambda: bot.begun)
    async with running(listener) as again:
        reply = await again.command("start", msg_id="m1")

    assert bot.begun == ["start"]
    assert b"the bot stopped while it ran: start was cancelled" in sent(rig.broker, REPLY)[0]
    assert reply.msg == "the bot stopped while it ran: start was cancelled; what it has done by then is not known"
    await counted(commands, interrupted=1, repeated=1)


async def test_a_thread_that_hangs_does_not_keep_the_bot_from_ending(gate: threading.Event) -> None:
    commands = RemoteCommands()
    commands.handles("hang")(lambda data: gate.wait(30))
    async with asyncio.timeout(5):
        async with running(serving(commands, PluginSettings(bot="demo", grace=0.02))) as rig:
            await publish(rig, "command/hang", write_request(Request(reply_to=REPLY)))
            await eventually(lambda: any(thread.name == "command command/hang" for thread in threading.enumerate()))

    assert b"cannot be stopped and goes on" in sent(rig.broker, REPLY)[0]


async def test_a_reply_waits_for_the_connection_to_come_back() -> None:
    bot = Held()
    commands = RemoteCommands(bot)
    async with running(serving(commands)) as rig:
        await publish(rig, "start", write_request(Request(reply_to=REPLY)))
        await eventually(lambda: bot.begun)
        rig.broker.drop("signals.demo.cmd")
        bot.gates["start"].set()
        await eventually(lambda: sent(rig.broker, REPLY))

    assert b'"msg":"start"' in sent(rig.broker, REPLY)[0]


async def test_messages_that_come_faster_than_they_are_read_are_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot_plugin.commands.service.UNREAD", 10)
    bot = Held()
    for each in bot.gates.values():
        each.set()
    commands = RemoteCommands(bot)
    async with running(serving(commands)) as rig:
        await publish(rig, "status", write_request(Request(reply_to=f"{REPLY}first")))
        await counted(commands, done=1)
        for call in range(30):
            rig.broker.publish("hbot/demo/status", write_request(Request(reply_to=f"{REPLY}{call}")))
        await eventually(lambda: sum(commands.counts.values()) == 31)

    assert commands.counts["full"] >= 10  # type: ignore[index]


async def test_a_message_that_cannot_be_taken_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not for anything that a message has may a bot end that trades."""
    commands = RemoteCommands(Counting())

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("nobody thought of this")

    async with running(serving(commands)) as rig:
        with monkeypatch.context() as patch:
            patch.setattr("bot_plugin.commands.service.read", fail)
            await publish(rig, "stop", b"{}")
            await eventually(lambda: "a command on hbot/demo/stop was not taken" in caplog.text)
        reply = await rig.command("stop")

    assert reply.msg == "run 1"


async def test_the_loop_turns_between_messages_that_wait() -> None:
    """Signals share it: a burst of commands holds them up by no more than one message at a time."""
    commands, order = RemoteCommands(Held()), []
    async with running(serving(commands)) as rig:
        await publish(rig, "status", b"?")
        await counted(commands, unreadable=1)
        for _ in range(50):
            rig.broker.publish("hbot/demo/status", b"?")
        while sum(commands.counts.values()) < 51:
            await asyncio.sleep(0)
            order.append(sum(commands.counts.values()))

    assert max(after - before for before, after in pairwise(order)) == 1


async def test_bytes_that_wait_to_be_read_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot_plugin.commands.service.UNREAD_BYTES", 1_000)
    commands = RemoteCommands(Held())
    async with running(serving(commands)) as rig:
        for size in (1_001, 1_000, 1_000):
            await publish(rig, "status", b" " * size)
        await counted(commands, full=2, unreadable=1)
        await publish(rig, "status", b" " * 1_000)
        await counted(commands, full=2, unreadable=2)
