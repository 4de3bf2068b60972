"""A script of Hummingbot that runs controllers and tells their figures every second, as v2_with_controllers.py does."""

from __future__ import annotations

import os

from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase


class PublishingScriptConfig(StrategyV2ConfigBase):
    script_file_name: str = os.path.basename(__file__)  # noqa: PTH119  # as its scripts do


class PublishingScript(StrategyV2Base):
    def on_tick(self):
        super().on_tick()
        if self._pub:
            reports = {name: self.get_performance_report(name) for name in self.controllers}
            told = {name: report.model_dump() for name, report in reports.items() if report}
            self._pub({name: {"performance": one, "custom_info": {"teller": "script"}} for name, one in told.items()})

    def create_actions_proposal(self):
        return []

    def stop_actions_proposal(self):
        return []
