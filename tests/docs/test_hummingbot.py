"""The Hummingbot page: its script gets a signal, its options and versions are those that there are."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from bot_plugin.hummingbot import launch, signals
from bot_plugin.hummingbot.internals.fit import TRIED
from bot_plugin.hummingbot.signals import SignalMixin
from bot_plugin.testing import build, running
from tests.docs.markdown import ROOT, blocks, codes, page, rows
from tests.unit.bot_plugin.hummingbot.trading import Companion, Controller, Script

PAGE = page("docs/hummingbot.md")
EXAMPLES = ROOT / "examples" / "hummingbot"
CODE = [block.text for block in blocks(PAGE) if block.language == "python"]


class Conf:
    """As StrategyV2ConfigBase has it: annotated values."""


@pytest.fixture
def companion(monkeypatch: pytest.MonkeyPatch) -> Companion:
    """Hummingbot as far as the page imports it."""
    stands: dict[str, dict[str, Any]] = {
        "hummingbot.core.data_type.common": {"OrderType": SimpleNamespace(MARKET="MARKET")},
        "hummingbot.strategy.strategy_v2_base": {"StrategyV2Base": Script, "StrategyV2ConfigBase": Conf},
        "hummingbot.strategy_v2.models.executor_actions": {"StopExecutorAction": SimpleNamespace},
        "controllers.directional_trading": {
            "bollinger_v1": SimpleNamespace(BollingerV1ControllerConfig=Conf, BollingerV1Controller=Controller)
        },
    }
    for name, content in stands.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    companion = Companion()
    monkeypatch.setattr(signals, "attached", lambda: companion)
    return companion


def run(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "shown", "__file__": "follow.py"}
    exec(compile(text, "docs/hummingbot.md", "exec"), names)
    return names


async def test_the_script_of_the_page_places_an_order_for_a_signal(companion: Companion) -> None:
    """Copied as it stands, it buys, and the receipt names its order and its handler."""
    (text,) = (text for text in CODE if "class Follow(" in text)
    names = run(text)
    script = names["Follow"]()
    script.config = names["FollowConfig"]()
    async with running(companion.listener) as rig:
        script.start(None, 0.0)
        script.tick(1.0)
        script.tick(2.0)
        envelope = build(rig.listener, source="tradingview", pair="BTC-USDT", action="buy")
        while True:
            try:
                rig.send(envelope)
                break
            except LookupError:
                await asyncio.sleep(0.001)
        handled = (await rig.settled(envelope.id))[-1]

    assert (handled.stage, handled.handler) == ("handled", "Follow.on_trade")
    assert [order_id[:4] for order_id in handled.order_ids] == ["buy-"]


def test_the_controller_of_the_page_can_be_made(companion: Companion) -> None:
    """It extends the module's class, and takes alerts."""
    (text,) = (text for text in CODE if "bollinger_v1" in text)
    guarded = run(text)["Guarded"]

    assert issubclass(guarded, SignalMixin)
    assert issubclass(guarded, Controller)
    assert not any(line.startswith("from controllers.directional_trading.bollinger_v1") for line in text.splitlines())


def test_the_page_names_the_options_of_the_command_and_the_versions_that_were_tried() -> None:
    """Each option that the command takes is in the table, and no other."""
    (section,) = (part for part in PAGE.split("\n### ") if part.startswith("Install"))
    told = {code.split()[0] for row in rows(section) for code in codes(row[0]) if code.startswith("-")}
    taken = {option for action in launch._parser()._actions for option in action.option_strings}

    assert told == taken - {"-h", "--help"}
    assert all(f"**{version}**" in PAGE for version in TRIED)


def test_the_examples_and_their_configurations_belong_together() -> None:
    """What a configuration names is there, and a copy of the folder is complete."""
    confs = sorted((EXAMPLES / "conf").rglob("*.yml"))
    assert confs
    for path in confs:
        conf = yaml.safe_load(path.read_text())
        if path.parent.name == "scripts":
            assert (EXAMPLES / "scripts" / conf["script_file_name"]).exists()
            for controller in conf.get("controllers_config", []):
                assert (EXAMPLES / "conf" / "controllers" / controller).exists()
        else:
            place = Path("controllers") / conf["controller_type"] / f"{conf['controller_name']}.py"
            assert (EXAMPLES / place).exists()
