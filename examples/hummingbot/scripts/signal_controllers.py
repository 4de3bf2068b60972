"""A script of Hummingbot that runs controllers and adds nothing, for installations without v2_with_controllers.py."""

from __future__ import annotations

import os

from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase


class SignalControllersConfig(StrategyV2ConfigBase):
    script_file_name: str = os.path.basename(__file__)  # noqa: PTH119  # as all its scripts have it


class SignalControllers(StrategyV2Base):
    def create_actions_proposal(self) -> list[object]:
        return []

    def stop_actions_proposal(self) -> list[object]:
        return []
