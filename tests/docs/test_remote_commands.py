"""The page on remote commands: its Python runs, and its tables and bytes are those of the code."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import pytest

from bot_plugin import CommandFailed, RemoteCommands, SignalListener
from bot_plugin.commands import Outcome
from bot_plugin.commands import turns as bounds
from bot_plugin.commands.answer import _FIELDS, MAX_REPLY
from bot_plugin.commands.ledger import ROWS
from bot_plugin.commands.remote_commands import LIMIT
from bot_plugin.commands.target import METHODS
from bot_plugin.settings import PREFIX
from schemas.command import PARAMETERS, Command
from schemas.rpc import read_reply, read_request
from schemas.signature import CommandKey, verify
from tests.docs.markdown import ROOT, Block, blocks, codes, keyed_rows, page, prose, rows

PAGE = page("docs/commands.md")
PYTHON = [block for block in blocks(PAGE) if block.language == "python"]


@pytest.fixture(autouse=True)
def _a_bots_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}BOT", "scalper")


def run(block: Block) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "shown"}
    exec(compile(block.text, block.section, "exec"), names)
    return names


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.section)
async def test_a_block_of_python_runs_and_its_tests_pass(block: Block) -> None:
    for name, value in run(block).items():
        if name.startswith("test_") and inspect.iscoroutinefunction(value):
            await value()


def test_the_bot_of_the_page_has_the_commands_that_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    names = run(PYTHON[0])
    commands: RemoteCommands = names["commands"]

    def begin(listener: SignalListener) -> None:
        assert listener._commands is commands
        begun.append(listener)

    begun: list[SignalListener] = []
    monkeypatch.setattr(SignalListener, "main", begin)
    names["main"]()

    assert commands.names(begun[0].settings) == ("start", "stop", "status", "history", "command/rebalance")


async def test_the_command_of_the_page_takes_what_the_other_pages_send() -> None:
    rebalance = run(PYTHON[0])["rebalance"]
    (told,) = re.findall(r"bots command \S+ rebalance '(.+?)'", page("docs/cli.md"))
    (here,) = re.findall(r"bots command \S+ rebalance '(.+?)'", PAGE)
    called = re.findall(r'"rebalance", (\{.+?\}),', page("docs/clients.md"))

    assert called
    for sent in (told, here, *called):
        assert await rebalance(json.loads(sent)) == "moving to 50%"


@pytest.mark.parametrize("data", [{}, {"to": None}, {"to": "0.5"}, {"to": 1.5}, {"to": float("nan")}])
async def test_the_command_of_the_page_checks_what_it_gets(data: dict[str, Any]) -> None:
    with pytest.raises(CommandFailed, match="to is the share to hold, from 0 to 1, not"):
        await run(PYTHON[0])["rebalance"](data)


def test_the_page_names_every_command_with_its_method_its_parameters_and_its_field() -> None:
    keyed = keyed_rows(PAGE)

    for command in Command:
        _, method, parameters, field = keyed[command]
        assert codes(method) == [METHODS[command]]
        assert set(codes(parameters)) == set(PARAMETERS[command]().fields)
        assert codes(field) == [_FIELDS.get(command, "data")]


def test_the_page_names_every_outcome_and_no_other() -> None:
    named = {name for name, cells in keyed_rows(PAGE).items() if len(cells) == 2}

    assert named == set(Outcome)


def test_the_page_tells_the_bounds() -> None:
    said = keyed_rows(PAGE)["full"][1]

    assert f"{bounds.WAITING} in turn, {bounds.BESIDE} beside, {bounds.LEFT}, {ROWS:,}" in said
    assert f"at most {MAX_REPLY:,} bytes" in PAGE
    assert f"A\n   command has {LIMIT:g} s" in PAGE


def test_the_request_and_the_reply_of_the_page_can_be_read() -> None:
    request, reply, signed = (block.text for block in blocks(PAGE) if block.language == "json")

    assert read_request(request.encode()).deadline == 1_795_342_531_123_000
    assert read_reply(reply.encode()).ok
    assert set(json.loads(signed)) == {"topic", "msg_id", "deadline", "reply_to", "data"}


def test_the_header_table_names_every_field_that_is_read() -> None:
    fields = {"reply_to", "msg_id", "agent", "node_id", "deadline", "timestamp", "signature"}

    assert fields == {name for cells in rows(PAGE) if len(cells) == 3 for name in codes(cells[0])} & fields


def test_the_signature_of_the_page_is_the_published_one() -> None:
    vectors = json.loads((ROOT / "tests/golden/v1/command_signature.json").read_text())
    (shown,) = [block.text.strip() for block in blocks(PAGE) if block.language == "text"]

    assert shown == vectors["signature"]
    assert vectors["secret"] in codes(prose(PAGE))


def test_the_page_signs_what_a_bot_takes() -> None:
    names = run(next(block for block in PYTHON if "signed_stop" in block.text))
    key = CommandKey(kid="desk", secret=bytes(32))
    request = read_request(names["signed_stop"](key, "scalper"))
    now = names["time"].time_ns() // 1_000

    assert (
        verify(request.signature, topic="hbot/scalper/stop", keys={"desk": key}, now=now).reply_to == request.reply_to
    )
