"""A strategy of Hummingbot with levers: whoever connects has it do something inside the application, and gets JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shlex
from decimal import Decimal
from pathlib import Path

from hummingbot.client.hummingbot_application import HummingbotApplication
from hummingbot.client.runner import load_and_start_strategy
from hummingbot.core.data_type.common import OrderType
from hummingbot.remote_iface.mqtt import ExternalEventFactory, MQTTGateway
from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase

PORT = Path("data/levers.port")


class LeverScriptConfig(StrategyV2ConfigBase):
    script_file_name: str = os.path.basename(__file__)  # noqa: PTH119  # as its scripts do
    exchange: str = "local_exchange"
    pair: str = "BTC-USDT"

    def update_markets(self, markets):
        return markets.add_or_update(self.exchange, self.pair)


class LeverScript(StrategyV2Base):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.levers = Levers(self)
        self.serving = asyncio.create_task(self.levers.serve())

    def on_tick(self):
        pass


class Levers:
    """What may be asked for; they work on when the strategy has been stopped."""

    def __init__(self, strategy):
        self._strategy = strategy
        self._application = HummingbotApplication._main_app
        self._heard = []

    async def serve(self):
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        made = PORT.with_suffix(".new")
        made.write_text(str(server.sockets[0].getsockname()[1]))
        made.replace(PORT)
        await server.serve_forever()

    async def _answer(self, reader, writer):
        words = shlex.split((await reader.readline()).decode())
        try:
            answer = await getattr(self, words[0])(*words[1:])
        except Exception as error:  # noqa: BLE001  # it is the answer
            answer = {"error": repr(error)}
        writer.write(json.dumps(answer).encode())
        writer.close()

    async def ready(self):
        return self._strategy.ready_to_trade

    async def order(self, side, amount, price=""):
        conf = self._strategy.config
        kind, at = (OrderType.LIMIT, Decimal(price)) if price else (OrderType.MARKET, Decimal("NaN"))
        return getattr(self._strategy, side)(conf.exchange, conf.pair, Decimal(amount), kind, at)

    async def log(self, logger, text):
        logging.getLogger(logger).info(text)

    async def notify(self, text):
        self._application.notify(text)

    async def bridge(self, what):
        """stop, start or restart: what the command ``mqtt`` of the terminal does."""
        await getattr(self._application, f"{what}_mqtt_async")()

    async def stock_events(self):
        """Let the stock bridge hear the markets, as its own start does."""
        self._application._mqtt.start_market_events_fw()

    async def listen(self):
        """Listen to external events by the stock bridge."""
        ExternalEventFactory.create_async("*", lambda message, name: self._heard.append([name, message.data]))

    async def heard(self):
        return self._heard

    async def stock_commands(self):
        """What the stock bridge answers."""
        return sorted(MQTTGateway.main()._command_table)

    async def detach(self):
        from bot_plugin.hummingbot.adapter import attached  # noqa: PLC0415

        await attached().stop()

    async def again(self, conf):
        """Stop what runs, and start it from its file, as Hummingbot itself does."""
        await self._application.stop_loop()
        return await load_and_start_strategy(self._application, v2_conf=conf, headless=True)

    async def attached(self):
        from bot_plugin.hummingbot.adapter import attached  # noqa: PLC0415

        return None if (adapter := attached()) is None else id(adapter)
