"""The clients page's Python runs as it stands, against a bot, and its test passes."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from bot_plugin.broker_settings import PREFIX
from bot_plugin.client import BotClient, SyncBotClient, client
from bot_plugin.client.settings import VARIABLES
from bot_plugin.fake import FakeBroker
from schemas.rpc import OK, Reply, write_reply
from schemas.telemetry import LogLine
from tests.docs.markdown import Block, blocks, codes, page, rows
from tests.unit.bot_plugin.client.stand_in import StandIn

PAGE = page("docs/clients.md")
PYTHON = [block for block in blocks(PAGE) if block.language == "python"]
SAYS = {
    "A command": "done 200 stopped",
    "Repeating a command": "command/rebalance of bot1: done",
    "Streams": "bot1 INFO Hummingbot stopped.\ntoo slow for 0 lines",
    "Which bots there are": "bot1 stock alive",
    "Without an event loop": "Holding(exchange='binance', asset='BTC', total=Decimal('0.5'), available=None)",
}


def run(block: Block) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "shown"}
    exec(compile(block.text, block.section, "exec"), names)
    return names


@pytest.fixture
def bot(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A bot that answers everything, on the broker that the page's programs reach."""
    broker = FakeBroker()
    monkeypatch.setattr(client, "MqttBroker", lambda: broker)

    def answer(command: str, _: Any) -> bytes:
        more = {"data": {"binance": {"BTC": "0.5"}}} if command == "balance" else {}
        return write_reply(Reply(status=OK, msg="stopped" if command == "stop" else "", more=more))

    return StandIn(broker, answer=answer)


async def live(bot: StandIn, work: asyncio.Future[Any]) -> None:
    """Let the bot tell of itself until the program has ended."""
    async with bot.running():
        while not work.done():
            bot.beat()
            bot.tell("log", LogLine(msg="Hummingbot stopped."))
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("block", [block for block in PYTHON if block.section in SAYS], ids=lambda block: block.section)
async def test_a_program_of_the_page_does_what_the_page_says(
    block: Block, bot: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    main = run(block)["main"]
    if inspect.iscoroutinefunction(main):
        work = asyncio.ensure_future(main())
        await asyncio.wait_for(live(bot, work), 20)
        work.result()
    else:
        await asyncio.to_thread(_with_bot_in_its_thread, main, bot)

    assert SAYS[block.section] in capsys.readouterr().out


def _with_bot_in_its_thread(main: Any, bot: StandIn) -> None:
    """Run a program without a loop; the fake broker belongs to one loop, which is the client's."""
    entered = SyncBotClient.__enter__

    def enter(self: SyncBotClient) -> SyncBotClient:
        made = entered(self)
        self.thread.do(_begin(bot))
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SyncBotClient, "__enter__", enter)
        main()


async def _begin(bot: StandIn) -> None:
    bot.life = asyncio.ensure_future(live(bot, asyncio.get_running_loop().create_future()))
    while not bot._link.connected:
        await asyncio.sleep(0.001)


async def test_the_test_that_the_page_shows_passes() -> None:
    (block,) = [block for block in PYTHON if block.section == "Testing"]
    names = run(block)
    (test,) = [value for name, value in names.items() if name.startswith("test_")]

    await asyncio.wait_for(test(), 10)


def test_every_block_is_run() -> None:
    assert {block.section for block in PYTHON} == {*SAYS, "Testing"}


def test_the_page_names_every_variable_of_a_client_and_every_method() -> None:
    named = {name.partition("(")[0] for row in rows(PAGE) for name in codes(row[0])}
    methods = {name for name, _ in inspect.getmembers(BotClient, inspect.isfunction) if not name.startswith("_")}

    assert {PREFIX + variable for variable in VARIABLES} <= named
    assert methods - {"call", "bots", "bot", "wait_alive"} <= named
