"""The real Hummingbot, headless, on a broker of this machine: run_bot.py FOLDER INSTANCE PORT.

Run by the interpreter that ``setup`` made. Everything that Hummingbot writes goes into FOLDER, and is found there by
the next run. It waits for commands; with ``--strategy CONFIGURATION.yml`` it starts that once it is connected.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
from pathlib import Path

import hummingbot

PASSWORD = "interop"  # of the folder that this run makes


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("instance")
    parser.add_argument("port", type=int)
    parser.add_argument("--strategy")
    return parser.parse_args()


def move_in(folder: Path) -> None:
    """Let Hummingbot take the folder for its installation: it asks for that while its settings are imported."""
    for part in ("conf/strategies", "conf/connectors", "conf/scripts", "conf/controllers", "data", "logs", "scripts"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    package = Path(hummingbot.__file__).parent
    if not (folder / "hummingbot").exists():
        (folder / "hummingbot").symlink_to(package)
        shutil.copy(package / "templates" / "hummingbot_logs_TEMPLATE.yml", folder / "conf" / "hummingbot_logs.yml")
    hummingbot.root_path = lambda: folder
    hummingbot.set_prefix_path(str(folder))
    os.chdir(folder)
    sys.path.insert(0, str(folder))  # scripts are imported as scripts.NAME


async def run(instance: str, port: int, strategy: str | None) -> None:
    from hummingbot.client.config.config_crypt import (  # noqa: PLC0415  # after move_in
        PASSWORD_VERIFICATION_PATH,
        ETHKeyFileSecretManger,
        store_password_verification,
    )
    from hummingbot.client.config.config_helpers import load_client_config_map_from_file  # noqa: PLC0415
    from hummingbot.client.runner import bootstrap_application, load_and_start_strategy  # noqa: PLC0415
    from hummingbot.remote_iface.mqtt import MQTTGateway  # noqa: PLC0415

    secrets = ETHKeyFileSecretManger(PASSWORD)
    assert Path(PASSWORD_VERIFICATION_PATH).is_relative_to(Path.cwd())
    if not Path(PASSWORD_VERIFICATION_PATH).exists():
        store_password_verification(secrets)
    config = load_client_config_map_from_file()
    config.instance_id = instance
    config.mqtt_bridge.mqtt_host, config.mqtt_bridge.mqtt_port = "127.0.0.1", port
    application = await bootstrap_application(config, secrets, headless=True, mqtt_autostart=True)
    running = asyncio.create_task(application.run())
    if strategy:
        while MQTTGateway.main() is None or not MQTTGateway.main().health:  # it tells nobody
            await asyncio.sleep(0.1)
        assert await load_and_start_strategy(application, v2_conf=strategy, headless=True)
    await running


if __name__ == "__main__":
    given = arguments()
    move_in(given.folder.resolve())
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # Hummingbot asks for it before anything runs
    loop.run_until_complete(run(given.instance, given.port, given.strategy))
