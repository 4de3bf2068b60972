"""The real Hummingbot, headless, in the folder where it is started: run_bot.py [--strategy CONF.yml].

``home.py`` makes that folder. This is what bin/hummingbot_quickstart.py does, but that it waits for the bridge before
it starts a strategy, which could not listen to it else. ``--call MODULE:FUNCTION`` calls that with the application as
soon as there is one.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import inspect
from typing import Any

PASSWORD = "interop"  # of the folder that home.py made


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--strategy")
    parser.add_argument("--call", action="append", default=[])
    return parser.parse_args()


async def run(strategy: str | None, calls: list[str]) -> None:
    from hummingbot.client.config.config_crypt import ETHKeyFileSecretManger  # noqa: PLC0415  # after the loop is set
    from hummingbot.client.config.config_helpers import load_client_config_map_from_file  # noqa: PLC0415
    from hummingbot.client.runner import bootstrap_application, load_and_start_strategy  # noqa: PLC0415
    from hummingbot.remote_iface.mqtt import MQTTGateway  # noqa: PLC0415

    config = load_client_config_map_from_file()
    application = await bootstrap_application(config, ETHKeyFileSecretManger(PASSWORD), headless=True)
    for name in calls:
        await call(name, application)
    running = asyncio.create_task(application.run())
    if strategy:
        while MQTTGateway.main() is None or not MQTTGateway.main().health:  # it tells nobody
            await asyncio.sleep(0.1)
        assert await load_and_start_strategy(application, v2_conf=strategy, headless=True)
    await running


async def call(name: str, application: Any) -> None:
    module, _, function = name.partition(":")
    returned = getattr(importlib.import_module(module), function)(application)
    if inspect.isawaitable(returned):
        await returned


if __name__ == "__main__":
    given = arguments()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # Hummingbot asks for it before anything runs
    loop.run_until_complete(run(given.strategy, given.call))
