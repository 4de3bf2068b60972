"""A strategy of Hummingbot that needs no exchange, and reads ML signals as the controller ``ai_livestream`` does.

That controller is no part of Hummingbot's package: the rules are its own, the thresholds its defaults.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from hummingbot.remote_iface.mqtt import ExternalTopicFactory
from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase

RECORD = Path("data/signals.jsonl")
THRESHOLD = 0.5


class LivestreamScriptConfig(StrategyV2ConfigBase):
    script_file_name: str = os.path.basename(__file__)  # noqa: PTH119  # as its scripts do

    def update_markets(self, markets):
        return markets


class LivestreamScript(StrategyV2Base):
    def __init__(self, *arguments, **options):
        self.listener = ExternalTopicFactory.create_async(
            topic="hbot/predictions/btc_usdt/ML_SIGNALS", callback=self.on_prediction, use_bot_prefix=False
        )
        super().__init__(*arguments, **options)

    def on_prediction(self, message, _):
        short, _, long = message["probabilities"]
        signal = -1 if short > THRESHOLD else 1 if long > THRESHOLD else 0
        with RECORD.open("a") as record:
            record.write(json.dumps({"at": time.time(), "signal": signal, "message": message}) + "\n")

    def on_tick(self):
        pass
