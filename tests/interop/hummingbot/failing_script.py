"""A strategy of Hummingbot that fails where its configuration says: when it is made, when it starts, when it stops."""

from __future__ import annotations

import os

from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase


class FailingScriptConfig(StrategyV2ConfigBase):
    script_file_name: str = os.path.basename(__file__)  # noqa: PTH119  # as its scripts do
    fails: str = ""
    api_key: str = "only-the-bot-knows"

    def update_markets(self, markets):
        return markets.add_or_update("local_exchange", "BTC-USDT")


class FailingScript(StrategyV2Base):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._fail("init")
        try:
            self._fail("softly")
        except RuntimeError:
            self.logger().exception("it goes on without")

    def start(self, clock, timestamp):
        self._fail("start")
        super().start(clock, timestamp)

    def on_tick(self):
        pass

    def format_status(self):
        self._fail("status")
        return super().format_status()

    async def on_stop(self):
        self._fail("stop")
        await super().on_stop()

    def _fail(self, where):
        if self.config.fails == where:
            raise RuntimeError(f"{where} fails")
