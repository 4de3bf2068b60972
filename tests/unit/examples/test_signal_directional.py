"""The directional controller of the examples: reversals, with stand-ins for Hummingbot's own classes."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from schemas.trade import Action, Effect

FILE = Path(__file__).parents[3] / "examples/hummingbot/controllers/directional_trading/signal_directional.py"
_MODELS = "hummingbot.strategy_v2.models.executor_actions"
_BASE = "hummingbot.strategy_v2.controllers.directional_trading_controller_base"


class Base:
    """As Hummingbot's directional controller decides: one executor, whichever side it has."""

    def __init__(self) -> None:
        self.config = SimpleNamespace(id="trend")
        self.executors_info: list[Any] = []
        self.processed_data: dict[str, Any] = {}
        self.executed: list[str] = []

    def create_actions_proposal(self) -> list[str]:
        return [] if self.executors_info else [f"enter {self.processed_data['signal']}"]


@pytest.fixture
def controller(monkeypatch: pytest.MonkeyPatch) -> Any:
    modules = {
        "pandas": {"DataFrame": dict},
        "hummingbot.core.data_type.common": {"TradeType": SimpleNamespace(BUY="buy", SELL="sell")},
        _MODELS: {
            "CreateExecutorAction": object,
            "StopExecutorAction": lambda **action: f"stop {action['executor_id']}",
        },
        _BASE: {"DirectionalTradingControllerBase": Base, "DirectionalTradingControllerConfigBase": object},
    }
    for name, held in modules.items():
        module = ModuleType(name)
        vars(module).update(held)
        monkeypatch.setitem(sys.modules, name, module)
    made = runpy.run_path(str(FILE))["SignalDirectional"]()
    monkeypatch.setattr(type(made), "execute", lambda self, _signal, actions: self.executed.extend(actions))
    return made


def signal(action: Action) -> Any:
    return SimpleNamespace(body=SimpleNamespace(action=action, effect=Effect.UNKNOWN))


def executor(side: str) -> Any:
    return SimpleNamespace(id=f"e-{side}", side=side, is_active=True)


@pytest.mark.parametrize(
    ("open_", "action", "done"),
    [("buy", Action.SELL, ["stop e-buy", "enter -1"]), ("sell", Action.BUY, ["stop e-sell", "enter 1"])],
)
async def test_an_entry_of_the_other_side_leaves_the_first(
    controller: Any, open_: str, action: Action, done: list[str]
) -> None:
    """A reversal is one alert; both sides together would be set off against each other."""
    controller.executors_info = [executor(open_)]
    await controller.on_trade(signal(action))
    assert controller.executed == done


async def test_a_second_entry_of_a_side_is_refused_and_stops_nothing(controller: Any) -> None:
    """The base class says that there are enough."""
    controller.executors_info = [executor("buy")]
    with pytest.raises(RuntimeError, match="not entered"):
        await controller.on_trade(signal(Action.BUY))
    assert controller.executed == []
