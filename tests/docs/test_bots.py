"""The bots page's Python runs as it stands, and its tests pass."""

from __future__ import annotations

import inspect
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from bot_plugin import SignalListener
from bot_plugin.settings import PREFIX
from tests.docs.markdown import Block, blocks, page

BLOCKS = [
    (name, block)
    for name in ("README.md", "docs/bots.md")
    for block in blocks(page(name))
    if block.language == "python"
]


@pytest.fixture(autouse=True)
def _a_bots_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}BOT", "scalper")


def run(block: Block) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "shown"}
    exec(compile(block.text, block.section, "exec"), names)
    return names


def begun(monkeypatch: pytest.MonkeyPatch) -> list[SignalListener]:
    """The listeners that programs begin to run, which end at once."""
    listeners: list[SignalListener] = []

    def in_thread(listener: SignalListener) -> Any:
        listeners.append(listener)
        return nullcontext(SimpleNamespace(error=RuntimeError("ended")))

    monkeypatch.setattr(SignalListener, "main", in_thread)
    monkeypatch.setattr(SignalListener, "in_thread", in_thread)
    return listeners


@pytest.mark.parametrize("block", [block for _, block in BLOCKS], ids=lambda block: block.section)
async def test_a_block_of_python_runs_and_its_tests_pass(block: Block) -> None:
    names = run(block)

    for name, value in names.items():
        if name.startswith("test_") and inspect.iscoroutinefunction(value):
            await value()


def test_the_page_shows_how_to_listen_to_tick_and_to_test(monkeypatch: pytest.MonkeyPatch) -> None:
    listeners = begun(monkeypatch)
    shown = [run(block) for name, block in BLOCKS if name == "docs/bots.md"]
    for names in shown:
        if "run_program" in names:
            names["main"]()
    listeners += [names["listener"] for names in shown if isinstance(names.get("listener"), SignalListener)]
    handlers = {handler for listener in listeners for handler in listener.plan.handlers}

    in_code = {"act", "note", "heard", "remember", "queue:btc-breakout", "latest:trend:BTC-USDT"}
    assert in_code | {"orders", "follow", "events"} == handlers
    assert any(name.startswith("test_") for names in shown for name in names)


def test_code_makes_the_listener_that_it_says() -> None:
    (block,) = [block for _, block in BLOCKS if "in_code" in block.text]

    listener = run(block)["in_code"]("secret")

    assert (listener.settings.bot, listener.settings.username) == ("scalper", "scalper")
