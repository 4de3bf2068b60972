"""A bot with the plugin that writes down every command that it runs."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from bot_plugin import PluginSettings, RemoteCommands, SignalListener
from bot_plugin.commands import CommandFailed

record = Path(sys.argv[1]).open("a", buffering=1)  # noqa: SIM115  for as long as the process lives
listener = SignalListener(PluginSettings.from_env())


class Target:
    """What the bot can do."""

    def start(self, request: Any) -> str:
        record.write(json.dumps({"command": "start", "script": request.script}) + "\n")
        if request.script == "slow":
            time.sleep(2)
        return f"{request.script} runs"

    def stop(self, _: Any) -> None:
        record.write(json.dumps({"command": "stop"}) + "\n")
        raise CommandFailed("nothing runs")

    def status(self, _: Any) -> str:
        return "all is well"

    def balance(self, _: Any) -> dict[str, Any]:
        return {"paper": {"BTC": {"total": "0.5", "available": "0.4"}}}


commands = RemoteCommands(Target())


@commands.handles("rebalance")
async def rebalance(data: Any) -> dict[str, Any]:
    record.write(json.dumps({"command": "rebalance", "data": dict(data)}) + "\n")
    return {"moved": data["to"]}


@listener.on_alert("*")
async def note(_: Any) -> None: ...


listener.serve(commands)


async def main() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(listener.run())
        await listener.wait_connected()
        record.write(json.dumps({"listening": os.getpid()}) + "\n")


asyncio.run(main())
