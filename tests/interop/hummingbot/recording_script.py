"""A strategy of Hummingbot that needs no exchange, and writes down each external event that it gets."""

from __future__ import annotations

import os
from pathlib import Path

from hummingbot.remote_iface.mqtt import ExternalEventFactory
from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase

RECORD = Path("data/events.jsonl")


class RecordingScriptConfig(StrategyV2ConfigBase):
    script_file_name: str = os.path.basename(__file__)  # noqa: PTH119  # as its scripts do

    def update_markets(self, markets):
        return markets


class RecordingScript(StrategyV2Base):
    def __init__(self, *arguments, **options):
        ExternalEventFactory.create_async("*", self.on_event)
        super().__init__(*arguments, **options)

    def on_event(self, message, _):
        with RECORD.open("a") as record:
            record.write(message.model_dump_json() + "\n")

    def on_tick(self):
        pass
