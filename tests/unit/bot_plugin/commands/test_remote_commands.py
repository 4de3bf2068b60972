"""Remote commands of a running bot: what is called, with what, and what the caller reads."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from bot_plugin import Answer, CommandFailed, MemoryInbox, PluginSettings, RemoteCommands, SettingsError, SignalListener
from bot_plugin.commands import Outcome
from bot_plugin.presence import decode_card
from bot_plugin.testing import FakeBroker, Rig, build, running
from schemas.command import BalanceLimit, BalancePaper, Command, Config, History, Import, Start, Status, Stop
from schemas.rpc import Request, write_request
from tests.brokers import eventually

DEMO = PluginSettings(bot="demo", grace=0.2)


class Bot:
    """A target with every method, plain and async; it remembers what it was called with."""

    def __init__(self) -> None:
        self.called: list[Any] = []

    async def start(self, request: Start) -> str:
        self.called.append(request)
        return "started"

    def stop(self, request: Stop) -> None:
        self.called.append(request)

    def import_strategy(self, request: Import) -> str:
        self.called.append(request)
        return f"{request.strategy} imported"

    async def config(self, request: Config) -> Answer:
        self.called.append(request)
        return Answer(msg="set", more={"changes": list(request.params), "config": {"spread": Decimal("0.1")}})

    def status(self, request: Status) -> dict[str, Any]:
        self.called.append(request)
        return {"running": True}

    def history(self, request: History) -> list[dict[str, str]]:
        self.called.append(request)
        return [{"price": "1"}]

    async def balance(self, request: Any) -> dict[str, dict[str, Decimal]]:
        self.called.append(request)
        return {"binance": {"BTC": Decimal("0.50")}}

    async def balance_limit(self, request: BalanceLimit) -> None:
        self.called.append(request)

    def balance_paper(self, request: BalancePaper) -> str:
        self.called.append(request)
        return ""


def serving(commands: RemoteCommands, settings: PluginSettings = DEMO) -> SignalListener:
    listener = SignalListener(settings, inbox=MemoryInbox())
    listener.serve(commands)
    return listener


CALLS = [
    ("start", {"script": "s.py", "log_level": None}, Start(script="s.py"), "started", {}),
    ("stop", {"skip_order_cancellation": True}, Stop(skip_order_cancellation=True), "", {}),
    ("import", {"strategy": "pmm"}, Import(strategy="pmm"), "pmm imported", {}),
    (
        "config",
        {"params": [["spread", 0.1]]},
        Config(params=(("spread", 0.1),)),
        "set",
        {"changes": [["spread", 0.1]], "config": {"spread": "0.1"}},
    ),
    ("status", {"async_backend": False}, Status(async_backend=False), "", {"data": {"running": True}}),
    ("history", {"days": 1}, History(days=1), "", {"trades": [{"price": "1"}]}),
    ("balance", {}, None, "", {"data": {"binance": {"BTC": "0.50"}}}),
    (
        "balance/limit",
        {"exchange": "binance", "asset": "BTC", "amount": "-1"},
        BalanceLimit(exchange="binance", asset="BTC", amount=Decimal(-1)),
        "",
        {},
    ),
    ("balance/paper", {"asset": "BTC", "amount": 2}, BalancePaper(asset="BTC", amount=Decimal(2)), "", {}),
]


async def test_every_command_reaches_its_method_and_its_answer_the_caller() -> None:
    bot = Bot()
    commands = RemoteCommands(bot)
    async with running(serving(commands)) as rig:
        for name, data, request, msg, more in CALLS:
            reply = await rig.command(name, data)

            assert (reply.status, reply.msg, reply.more) == (200, msg, more), name
            assert request is None or bot.called[-1] == request

    assert {name for name, *_ in CALLS} == set(Command)
    assert commands.counts == {Outcome.DONE: len(CALLS)}


async def test_a_reply_has_the_bytes_of_the_stock_bridge() -> None:
    async with running(serving(RemoteCommands(Bot()))) as rig:
        await rig.command("start", reply_to="rpc-" + "0" * 32)
        [payload] = [message.payload for message in rig.broker.published if message.topic.startswith("rpc-")]

    head, _, tail = payload.partition(b'"timestamp":')
    assert head == b'{"header":{"reply_to":"",'
    assert tail[:13].isdigit()
    assert tail[13:] == (
        b',"content_type":"json","encoding":"utf8","agent":"commlib"},"data":{"status":200,"msg":"started"}}'
    )


async def test_what_the_bot_does_not_have_is_answered_so() -> None:
    class Small:
        def stop(self, request: Stop) -> None: ...

    commands = RemoteCommands(Small())
    async with running(serving(commands)) as rig:
        for name in ("start", "balance/limit", "command/rebalance"):
            reply = await rig.command(name)

            assert (reply.status, reply.msg) == (400, f"this bot does not have {name}; its commands: stop")

    assert commands.counts == {Outcome.UNKNOWN: 3}


async def test_every_wrong_parameter_is_named_and_nothing_is_run() -> None:
    bot = Bot()
    async with running(serving(RemoteCommands(bot))) as rig:
        reply = await rig.command("balance/limit", {"exchange": "", "amount": "much"})

    assert reply.status == 400
    assert [field in reply.msg for field in ("exchange", "asset", "amount")] == [True] * 3
    assert bot.called == []


@pytest.mark.parametrize("data", [[], "x", 7, [["asset", "BTC"]]])
async def test_data_that_is_no_object_is_answered(data: Any) -> None:
    async with running(serving(RemoteCommands(Bot()))) as rig:
        reply = await _raw(rig, "stop", data)

    assert (reply.status, reply.msg) == (400, "data: must be an object.")


async def _raw(rig: Rig, name: str, data: Any) -> Any:
    payload = json.dumps({"header": {"reply_to": "signals/v1/reply/demo/test/1"}, "data": data}).encode()
    async with asyncio.timeout(5):
        while rig.broker.publish(f"hbot/demo/{name}", payload) != 0:
            await asyncio.sleep(0.001)
        while not (replies := rig.replies("signals/v1/reply/demo/test/1")):
            await asyncio.sleep(0.001)
    return replies[0]


async def test_only_allowed_commands_are_run() -> None:
    bot = Bot()
    commands = RemoteCommands(bot, allow=("status", "stop"))
    settings = PluginSettings(bot="demo", allowed_commands=("status", "start"))
    async with running(serving(commands, settings)) as rig:
        replies = [await rig.command(name) for name in ("status", "stop", "start", "command/x")]

    assert [reply.status for reply in replies] == [200, 400, 400, 400]
    assert replies[1].msg == "stop is not allowed here; this bot's commands: status"
    assert len(bot.called) == 1
    assert commands.counts == {Outcome.DONE: 1, Outcome.NOT_ALLOWED: 3}


@pytest.mark.parametrize("where", ["allow", "settings", "limits"])
async def test_a_name_that_no_command_has_is_a_mistake_at_start(where: str) -> None:
    commands = RemoteCommands(
        Bot(),
        allow=("stopp",) if where == "allow" else None,
        limits={"stopp": 1} if where == "limits" else None,
    )
    settings = PluginSettings(bot="demo", allowed_commands=("stopp",) if where == "settings" else None)
    listener = serving(commands, settings)

    for _ in range(2):
        with pytest.raises(SettingsError, match="'stopp' is no command of this bot"):
            await listener.run(connect=FakeBroker().link)


async def test_a_bots_own_commands_get_the_data_and_have_a_topic_each() -> None:
    commands = RemoteCommands()
    seen = []

    @commands.handles("rebalance")
    async def rebalance(data: Any) -> Any:
        seen.append(data)
        return {"orders": 2}

    @commands.handles("ping", ordered=False)
    def ping(data: Any) -> str:
        return "pong"

    async with running(serving(commands)) as rig:
        first = await rig.command("command/rebalance", {"target": 0.5})
        second = await rig.command("command/ping")

    assert (first.status, first.more, seen) == (200, {"data": {"orders": 2}}, [{"target": 0.5}])
    assert second.msg == "pong"


def test_what_cannot_be_registered_is_refused() -> None:
    commands = RemoteCommands()
    commands.handles("a")(print)

    with pytest.raises(ValueError, match="already"):
        commands.handles("a")
    with pytest.raises(ValueError, match="only A-Z"):
        commands.handles("a/b")
    with pytest.raises(ValueError, match="more than 0"):
        commands.handles("b", limit=0)
    with pytest.raises(TypeError, match="called with a name"):
        commands.handles(print)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="more than 0"):
        RemoteCommands(limits={"stop": -1})
    with pytest.raises(TypeError, match=r"RemoteCommands\(Bot\(\)\)"):
        RemoteCommands(Bot)
    with pytest.raises(TypeError, match="a str has none of the methods start, stop"):
        RemoteCommands("bot")


async def test_a_listener_serves_one_set_of_commands_that_it_has_before_it_runs() -> None:
    listener = serving(RemoteCommands(Bot()))
    with pytest.raises(RuntimeError):
        listener.serve(RemoteCommands(Bot()))

    other = SignalListener(DEMO)
    async with running(other):
        with pytest.raises(RuntimeError):
            other.serve(RemoteCommands(Bot()))


def _fail(error: BaseException) -> Callable[[Any], Any]:
    def fail(request: Any) -> None:
        raise error

    return fail


def _fail_async(error: BaseException) -> Callable[[Any], Any]:
    async def fail(request: Any) -> None:
        raise error

    return fail


class Mute(CommandFailed):
    """Its own text fails."""

    def __str__(self) -> str:
        raise KeyError("words")


@pytest.mark.parametrize("how", [_fail, _fail_async])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (CommandFailed("no strategy is loaded"), "no strategy is loaded"),
        (CommandFailed(), "the command failed"),
        (ValueError("no money\nat line 3"), "ValueError: no money"),
        (SystemExit(1), "SystemExit: 1"),
        (asyncio.CancelledError("mine"), "CancelledError: mine"),
        (StopIteration("x"), "StopIteration"),
        (OSError("password=hunter2222"), "OSError: password=[redacted]"),
        (Mute(), "what command/fail has done is not known: KeyError: 'words'"),
    ],
)
async def test_whatever_a_handler_raises_the_caller_reads_and_the_next_command_runs(
    error: BaseException, words: str, how: Any
) -> None:
    commands = RemoteCommands(Bot())
    commands.handles("fail")(how(error))
    async with running(serving(commands)) as rig:
        reply = await rig.command("command/fail")
        again = await rig.command("stop")

    assert (reply.status, again.status) == (400, 200)
    assert words in reply.msg
    assert commands.counts == {Outcome.FAILED: 1, Outcome.DONE: 1}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"a": [1.0, float("nan")]}, "data.a[1] is nan, which JSON cannot say"),
        ({"a": object()}, "data.a is of type object, which JSON has no word for"),
        ("\ud800", "surrogates not allowed"),
        ("x" * 2_000, "it has 2"),
        (Answer(more={"trades": {1: b"x"}}), "trades.1 is of type bytes"),
    ],
)
async def test_an_answer_that_cannot_be_told_is_a_400_that_says_why(answer: Any, words: str) -> None:
    commands = RemoteCommands(max_reply=1_000)
    commands.handles("tell")(lambda data: answer)
    async with running(serving(commands)) as rig:
        reply = await rig.command("command/tell")

    assert reply.status == 400
    assert reply.msg.startswith("command/tell was run, and its answer cannot be told: ")
    assert words in reply.msg


async def test_a_limit_for_replies_leaves_room_to_say_why() -> None:
    """Whatever the limit is: a reply that says why not is short."""
    commands = RemoteCommands(Bot(), max_reply=1)
    commands.handles("fail")(_fail(ValueError("x" * 1_000)))
    async with running(serving(commands)) as rig:
        replies = [await rig.command(name) for name in ("command/fail", "stop", "command/none")]

    assert [reply.status for reply in replies] == [400, 400, 400]
    assert "at most 1 fit" in replies[1].msg


async def test_an_answer_whose_values_fail_as_they_are_read_is_a_400() -> None:
    class Broken(dict[str, Any]):
        def items(self) -> Any:
            raise RuntimeError("changed during iteration")

    commands = RemoteCommands()
    commands.handles("tell")(lambda data: Broken(a=1))
    async with running(serving(commands)) as rig:
        reply = await rig.command("command/tell")

    assert (reply.status, reply.msg) == (400, "RuntimeError: changed during iteration")


async def test_a_reply_that_the_broker_does_not_take_says_how_large_it_was() -> None:
    commands = RemoteCommands()
    commands.handles("tell")(lambda data: "x" * 10_000)
    async with running(serving(commands), broker=FakeBroker(largest=2_000)) as rig:
        reply = await rig.command("command/tell")

    assert reply.status == 400
    assert "the reply cannot be sent: it has 10" in reply.msg
    assert commands.counts == {Outcome.DONE: 1}


async def test_a_plain_function_that_gives_a_coroutine_is_awaited() -> None:
    async def inner() -> str:
        return "awaited"

    commands = RemoteCommands()
    commands.handles("x")(lambda data: inner())
    async with running(serving(commands)) as rig:
        assert (await rig.command("command/x")).msg == "awaited"


async def test_the_card_shows_what_the_bot_does_when_it_is_asked() -> None:
    commands = RemoteCommands(Bot(), allow=("stop", "status", "command/rebalance"))
    commands.handles("rebalance")(print)
    async with running(serving(commands)) as rig:
        card = decode_card(rig.broker.retained["signals/v1/bot/demo"])

    assert card is not None
    assert card.commands == ("stop", "status", "command/rebalance")


async def test_the_log_tells_of_every_command_once_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "bot_plugin.commands")
    async with running(serving(RemoteCommands(Bot(), allow=("config",)))) as rig:
        await rig.command("config", {"params": [["api_key", "SECRET-VALUE"]]}, sender="desk", msg_id="m1")
        await rig.command("stop", {"passphrase": "SECRET-VALUE"}, sender="desk\nforged", msg_id="m2")

    lines = [record.getMessage() for record in caplog.records if record.name == "bot_plugin.commands"]
    assert len(lines) == 2
    assert lines[0].startswith("command 'config' of 'desk' (msg_id 'm1') at 20")
    assert "Z: done in 0.0" in lines[0]
    assert "command 'stop' of 'desk\\nforged' (msg_id 'm2')" in lines[1]
    assert "not_allowed: stop is not allowed here" in lines[1]
    assert "SECRET-VALUE" not in caplog.text


@pytest.mark.parametrize("error", [ValueError, CommandFailed])
async def test_a_handler_that_repeats_a_secret_does_not_bring_it_into_the_log(
    error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    commands = RemoteCommands()

    class Bot:
        def config(self, request: Config) -> None:
            raise error(f"{dict(request.params)['api_key']} is not right")

    commands = RemoteCommands(Bot())
    async with running(serving(commands)) as rig:
        reply = await rig.command("config", {"params": [["api_key", "k3y-of-mine"]]})

    assert "k3y-of-mine is not right" in reply.msg
    assert "[redacted] is not right" in caplog.text
    assert "k3y-of-mine" not in caplog.text


async def test_commands_do_not_wait_for_signals() -> None:
    listener, gate = serving(RemoteCommands(Bot())), threading.Event()

    @listener.on_trade()
    def slow(signal: Any) -> None:
        gate.wait(5)

    async with running(listener) as rig:
        for _ in range(50):
            rig.send(build(listener))
        reply = await rig.command("stop")
        gate.set()

    assert reply.status == 200


async def test_a_command_that_ends_the_listener_is_answered() -> None:
    commands = RemoteCommands()
    listener = serving(commands)

    @commands.handles("shutdown")
    def shutdown(data: Any) -> str:
        listener.stop()
        return "bye"

    async with running(listener) as rig:
        reply = await rig.command("command/shutdown")

    assert reply.msg == "bye"


async def test_a_bot_whose_memory_of_commands_cannot_be_used_says_so_and_ends(tmp_path: Any) -> None:
    (tmp_path / "demo.commands.db").write_text("no database " * 100)
    listener = SignalListener(PluginSettings(bot="demo", state_dir=str(tmp_path)))
    listener.serve(RemoteCommands(Bot()))

    with pytest.raises(SettingsError, match=r"memory of commands .*demo\.commands\.db cannot be read"):
        await asyncio.wait_for(listener.run(connect=FakeBroker().link, claim=False), 5)


async def test_requests_are_acknowledged_as_soon_as_they_are_there() -> None:
    gate = asyncio.Event()
    commands = RemoteCommands()

    @commands.handles("slow")
    async def slow(data: Any) -> None:
        await gate.wait()

    async with running(serving(commands)) as rig:
        payload = write_request(Request(reply_to="rpc-" + "0" * 32))
        await eventually(lambda: rig.broker.publish("hbot/demo/command/slow", payload) == 0)
        session = rig.broker._sessions["signals.demo.cmd"]
        await eventually(lambda: not session.unacknowledged)
        gate.set()
