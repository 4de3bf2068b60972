"""A directional controller of Hummingbot that takes its signal from ML signals, as its ``ai_livestream`` does.

That controller is no part of Hummingbot's package: the rules are its own, the thresholds its defaults.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from hummingbot.remote_iface.mqtt import ExternalTopicFactory
from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
    DirectionalTradingControllerBase,
    DirectionalTradingControllerConfigBase,
)

RECORD = Path("data/signals.jsonl")
THRESHOLD = 0.5


class LivestreamControllerConfig(DirectionalTradingControllerConfigBase):
    controller_name: str = "livestream_controller"


class LivestreamController(DirectionalTradingControllerBase):
    def __init__(self, config, *arguments, **options):
        super().__init__(config, *arguments, **options)
        topic = f"hbot/predictions/{config.trading_pair.lower().replace('-', '_')}/ML_SIGNALS"
        self.listener = ExternalTopicFactory.create_async(
            topic=topic, callback=self.on_prediction, use_bot_prefix=False
        )

    def on_prediction(self, message, _):
        short, _, long = message["probabilities"]
        signal = -1 if short > THRESHOLD else 1 if long > THRESHOLD else 0
        self.processed_data |= {"signal": signal, "features": message}
        with RECORD.open("a") as record:
            record.write(json.dumps({"at": time.time(), "signal": signal, "message": message}) + "\n")

    async def update_processed_data(self):
        pass
