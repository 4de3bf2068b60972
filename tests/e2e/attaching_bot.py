"""A bot whose strategy comes and goes by remote command, as a script does inside an application."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from bot_plugin import Handlers, PluginSettings, RemoteCommands, Signal, SignalListener

SLOW_SECONDS = float(os.environ.get("SLOW_SECONDS", "0"))

record = Path(sys.argv[1]).open("a", buffering=1)  # noqa: SIM115  for as long as the process lives
listener = SignalListener(PluginSettings.from_env())
strategy = Handlers()


def write(**entry: Any) -> None:
    record.write(json.dumps({**entry, "at": time.time_ns()}) + "\n")


@strategy.on_trade("*")
async def act(signal: Signal) -> None:
    write(id=signal.id, key=signal.key, sequence=signal.sequence)
    signal.placed(f"order-{signal.id[:8]}")
    await asyncio.sleep(SLOW_SECONDS)
    signal.filled("0.5 at 27123.45")


@strategy.on_interrupted
async def interrupted(signal: Signal) -> None:
    write(interrupted=signal.id)


class Target:
    """What the bot can do."""

    async def start(self, _: Any) -> str:
        listener.attach(strategy)
        return "attached"

    async def stop(self, _: Any) -> str:
        await listener.detach(strategy)
        return "detached"

    def status(self, _: Any) -> str:
        return ", ".join(listener.plan.handlers) or "nothing is attached"


listener.serve(RemoteCommands(Target()))


async def main() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(listener.run())
        await listener.wait_connected()
        write(listening=os.getpid())


asyncio.run(main())
