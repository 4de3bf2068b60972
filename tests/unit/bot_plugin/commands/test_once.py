"""Once per call: a repeat gets the reply of the first, whatever clocks, disks and restarts do."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import PluginSettings, RemoteCommands
from bot_plugin.testing import FakeBroker, running
from schemas.rpc import Request, write_request
from tests.brokers import eventually
from tests.unit.bot_plugin.clock import Clock
from tests.unit.bot_plugin.commands.serving import REPLY, Counting, counted, publish, sent, serving

DAY = 86_400


@pytest.fixture
def bot() -> Counting:
    return Counting()


@pytest.fixture
def commands(bot: Counting) -> RemoteCommands:
    return RemoteCommands(bot)


async def test_a_repeat_gets_the_bytes_of_the_first_reply_on_its_own_topic(
    bot: Counting, commands: RemoteCommands
) -> None:
    async with running(serving(commands)) as rig:
        for reply_to in (f"{REPLY}0", f"{REPLY}1", f"{REPLY}1"):
            await rig.command("start", msg_id="m1", sender="desk", reply_to=reply_to)

        first, again = sent(rig.broker, f"{REPLY}0"), sent(rig.broker, f"{REPLY}1")
        assert first == again[:1] == again[1:]

    assert bot.runs == ["start"]
    await counted(commands, done=1, repeated=2)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("stop", {"msg_id": "m1", "sender": "desk"}),
        ("start", {"msg_id": "m1", "sender": "another"}),
        ("start", {"msg_id": "m2", "sender": "desk"}),
        ("start", {"sender": "desk"}),
    ],
)
async def test_another_command_sender_or_id_is_another_call(
    bot: Counting, commands: RemoteCommands, name: str, header: dict[str, str]
) -> None:
    async with running(serving(commands)) as rig:
        await rig.command("start", msg_id="m1", sender="desk")
        await rig.command(name, **header)

    assert bot.runs == ["start", name]


async def test_without_an_id_the_reply_topic_tells_calls_apart(bot: Counting, commands: RemoteCommands) -> None:
    async with running(serving(commands)) as rig:
        for call in ("a", "b", "a"):
            await rig.command("start", reply_to="rpc-" + call * 32)

    assert bot.runs == ["start", "start"]
    await counted(commands, done=2, repeated=1)


async def test_an_id_that_was_used_for_other_parameters_is_refused(bot: Counting, commands: RemoteCommands) -> None:
    async with running(serving(commands)) as rig:
        await rig.command("start", {"script": "a.py"}, msg_id="m1")
        reply = await rig.command("start", {"script": "b.py"}, msg_id="m1")

    assert (reply.status, bot.runs) == (400, ["start"])
    assert "its msg_id was used for other parameters" in reply.msg
    await counted(commands, done=1, reused=1)


async def test_a_repeat_while_the_first_runs_waits_for_the_same_reply() -> None:
    gate, runs = asyncio.Event(), []
    commands = RemoteCommands()

    @commands.handles("slow")
    async def slow(data: Any) -> str:
        runs.append(data)
        await gate.wait()
        return "done"

    async with running(serving(commands)) as rig:
        calls = [
            asyncio.ensure_future(rig.command("command/slow", msg_id="m1", reply_to=f"{REPLY}{number}"))
            for number in range(3)
        ]
        await counted(commands, repeated=2)
        gate.set()
        replies = await asyncio.gather(*calls)

    assert ([reply.msg for reply in replies], len(runs)) == (["done"] * 3, 1)


async def test_so_many_repeats_wait_for_one_reply_and_no_more() -> None:
    gate = asyncio.Event()
    commands = RemoteCommands()

    @commands.handles("slow")
    async def slow(data: Any) -> str:
        await gate.wait()
        return "done"

    async with running(serving(commands)) as rig:
        for number in range(20):
            request = Request(msg_id="m1", reply_to=f"{REPLY}{number}")
            await publish(rig, "command/slow", write_request(request))
        await counted(commands, repeated=15, full=4)
        gate.set()
        await counted(commands, repeated=15, full=4, done=1)
        await eventually(lambda: sent(rig.broker, f"{REPLY}15"))

        assert b"16 repeats of it wait" in sent(rig.broker, f"{REPLY}16")[0]


@pytest.fixture
def durable(tmp_path: Path) -> PluginSettings:
    return PluginSettings(bot="demo", state_dir=str(tmp_path), grace=0.2)


async def test_a_repeat_after_a_restart_gets_the_first_reply(bot: Counting, durable: PluginSettings) -> None:
    payloads = []
    for _ in range(2):
        async with running(serving(RemoteCommands(bot), durable, durable=True)) as rig:
            await rig.command("start", msg_id="m1", reply_to=REPLY)
            payloads += sent(rig.broker, REPLY)

    assert (bot.runs, payloads[0]) == (["start"], payloads[1])


async def test_a_bot_without_a_state_folder_remembers_as_long_as_its_process(bot: Counting) -> None:
    listener = serving(RemoteCommands(bot))
    for _ in range(2):
        async with running(listener) as rig:
            reply = await rig.command("start", msg_id="m1")

    assert (bot.runs, reply.msg) == (["start"], "run 1")


async def test_what_a_crash_cut_short_is_not_run_again_and_said(bot: Counting, durable: PluginSettings) -> None:
    async with running(serving(RemoteCommands(bot), durable, durable=True)) as rig:
        await rig.command("start", msg_id="m1")
    with sqlite3.connect(durable.state_folder / "demo.commands.db") as database:  # as a kill between the two leaves it
        database.execute("UPDATE calls SET reply = NULL")

    commands = RemoteCommands(bot)
    async with running(serving(commands, durable, durable=True)) as rig:
        reply = await rig.command("start", msg_id="m1")

    assert (reply.status, bot.runs) == (400, ["start"])
    assert reply.msg == "interrupted: start was begun, and the bot ended; what it had done by then is not known"
    await counted(commands, interrupted=1)


@pytest.mark.parametrize("step", [-30 * DAY, -60, 60, 2 * DAY, 400 * DAY])
@pytest.mark.parametrize("restart", [False, True])
async def test_a_clock_that_is_set_makes_nothing_run_twice(
    bot: Counting, durable: PluginSettings, step: float, *, restart: bool
) -> None:
    clock, commands = Clock(), RemoteCommands(bot)
    async with running(serving(commands, durable, clock=clock, durable=True)) as rig:
        await rig.command("start", msg_id="m1")
        clock.step(step)
        if not restart:
            await rig.command("start", msg_id="m1")
    if restart:
        async with running(serving(RemoteCommands(bot), durable, clock=clock, durable=True)) as rig:
            await rig.command("start", msg_id="m1")

    assert bot.runs == ["start"]


async def test_a_call_is_forgotten_after_a_day_in_which_the_bot_ran(bot: Counting, durable: PluginSettings) -> None:
    clock = Clock()
    async with running(serving(RemoteCommands(bot), durable, clock=clock, durable=True)) as rig:
        for hours in (0, 23, 2):
            clock.advance(hours * 3_600)
            await rig.command("stop")
            await rig.command("start", msg_id="m1")

    assert bot.runs.count("start") == 2


async def test_a_command_that_cannot_be_remembered_is_not_run(
    bot: Counting, durable: PluginSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = RemoteCommands(bot)
    async with running(serving(commands, durable, durable=True)) as rig:
        await rig.command("start", msg_id="m0")
        with monkeypatch.context() as patched:
            patched.setattr("bot_plugin.database.Database.commit", _no_room)
            refused = await rig.command("start", msg_id="m1")
        later = await rig.command("start", msg_id="m1")

    assert (refused.status, refused.msg) == (400, "not run: no room on the disk")
    assert (later.msg, bot.runs) == ("run 2", ["start", "start"])
    await counted(commands, done=2, not_stored=1)


def _no_room(database: Any) -> None:
    raise OSError("no room on the disk")


async def test_a_reply_that_cannot_be_remembered_is_sent_all_the_same(
    bot: Counting, durable: PluginSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(serving(RemoteCommands(bot), durable, durable=True)) as rig:
        await rig.command("stop")
        monkeypatch.setattr("bot_plugin.commands.sqlite.SqliteLedger._finish", lambda *_: _no_room(None))
        first = await rig.command("start", msg_id="m1")
        again = await rig.command("start", msg_id="m1")

    assert (first.msg, bot.runs) == ("run 2", ["stop", "start"])
    assert again.msg.startswith("interrupted: ")
    assert "the reply to start is not remembered: no room on the disk" in caplog.text


async def test_a_memory_that_is_full_refuses_and_says_so(bot: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot_plugin.commands.memory.MemoryLedger.__init__.__kwdefaults__", {"rows": 1, "size": 99_999})
    commands = RemoteCommands(bot)
    async with running(serving(commands)) as rig:
        await rig.command("start")
        reply = await rig.command("stop")

    assert (reply.status, bot.runs) == (400, ["start"])
    assert reply.msg == "not run: 1 commands of the last 24 hours are remembered, and no more can be"
    await counted(commands, done=1, full=1)


async def test_a_reply_that_is_not_kept_any_more_is_said(bot: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot_plugin.commands.memory.MemoryLedger.__init__.__kwdefaults__", {"rows": 9, "size": 250})
    commands = RemoteCommands(bot)
    async with running(serving(commands)) as rig:
        for msg_id in ("m1", "m2", "m1"):
            reply = await rig.command("start", msg_id=msg_id)

    assert (reply.msg, len(bot.runs)) == ("start was run, once; its reply is not kept any more", 2)


async def test_retained_commands_are_not_run(bot: Counting, commands: RemoteCommands) -> None:
    broker = FakeBroker()
    for name, msg_id in (("start", "m1"), ("stop", "")):
        broker.publish(f"hbot/demo/{name}", write_request(Request(msg_id=msg_id, reply_to=REPLY)), retain=True)
    broker.publish("hbot/demo/status", b"{}", retain=True)
    async with running(serving(commands), broker=broker):
        await counted(commands, retained=3)

    assert bot.runs == []
    assert [b"a retained command is not run" in payload for payload in sent(broker, REPLY)] == [True, True]


async def test_a_retained_copy_of_a_command_that_was_run_is_not_answered(
    bot: Counting, commands: RemoteCommands
) -> None:
    async with running(serving(commands)) as rig:
        request = write_request(Request(msg_id="m1", reply_to=REPLY))
        await publish(rig, "start", b"")
        rig.broker.publish("hbot/demo/start", request, retain=True)
        await counted(commands, unreadable=1, done=1)
        rig.broker.drop("signals.demo.cmd")
        await counted(commands, unreadable=1, done=1, retained=1)

    assert (bot.runs, len(sent(rig.broker, REPLY))) == (["start"], 1)
